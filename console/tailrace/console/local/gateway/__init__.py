"""The embedded ClickHouse: chDB behind ClickHouse's HTTP interface, one process, one data folder.

Start it with `python -m tailrace.console.local.gateway --path DIR`. What it promises, and what it
refuses, is in design/003-clickhouse-gateway.md.
"""
