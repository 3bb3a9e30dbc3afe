"""The archive sink: from the log into the tables, each record once, without decoding it.

`cutting` and `protocol` are the model: which offsets make a block, and which steps make its insert
happen once. `blocks` is the splice, `writer` the insert, `storing` what becomes of a block,
`isolation` finds what an insert was refused for. `lane` runs the protocol for one partition,
`consumer` the lanes of all that this process owns; `log_identity` asks whether it is the same log.
"""
