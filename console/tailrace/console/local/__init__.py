"""The local stack: Kafka and ClickHouse on this machine, from Python packages and pinned jars.

One concept a file: `jars` and `java` are what Kafka runs on, `kafka` and `clickhouse` are the two
members, `stack` starts and supervises them over one data folder, `record` is what others read.
"""
