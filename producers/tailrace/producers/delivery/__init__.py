"""The way of a record out of the process: queue, producer, spool, and who waits for what."""
