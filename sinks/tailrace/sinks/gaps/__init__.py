"""The ledger: what the log and the runs themselves say must be stored, against what is.

`ranges` is the arithmetic, `accounts` what is told, `log_side` the partitions, `run_side` the runs,
`ledger` the whole.
"""
