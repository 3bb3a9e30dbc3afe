"""What people see of traces: pure rendering, values in, text out; no I/O, no clock."""
