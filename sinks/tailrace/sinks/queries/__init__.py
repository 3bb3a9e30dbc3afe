"""The questions that people and other packages ask ClickHouse, one a file, parameters bound.

Every one takes a repeated identity once: an event is (run_id, seq), a body its hash, a dead letter
its source's coordinates. All block; a caller in an event loop asks from a thread.
"""
