"""For people: the `tailrace` command line and the local stack."""
