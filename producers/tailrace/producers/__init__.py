"""What runs inside the user's agents: the journal, steps, routing."""
