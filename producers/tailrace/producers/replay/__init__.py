"""Serving a new execution what an earlier one of the same trace recorded."""
