"""Runs and steps while they are recorded: from a decorated call to the events that tell of it."""
