"""Which deployment takes a new run: what the control topic says, and what is written to it."""
