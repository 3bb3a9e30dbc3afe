"""The only code that writes or reads ClickHouse."""
