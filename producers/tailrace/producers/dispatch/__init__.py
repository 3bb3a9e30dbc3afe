"""Runs that are sent to workers of their deployment, and the answers that come back."""
