"""Moving the log to another cluster: the same topics, partitions, records and offsets.

`placing` says what lies at each offset, holes included; `appending` writes it there and nowhere
else; `copying` and `comparing` go through partitions, `stretches` through all of them at once.
`side` is a cluster, `plan` what is to be moved and why it may not be, `settings` the topics'
settings, `commits` the consumer groups, `sealing` the record that ends it;
`transfer` does one step to all of it, `moving` is the whole.
"""
