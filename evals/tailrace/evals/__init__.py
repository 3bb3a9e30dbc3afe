"""Snapshots, scorers, replay experiments, windows, verdicts, the guard."""
