"""What a client is to its process: which one is open, what it survives, how it ends."""
