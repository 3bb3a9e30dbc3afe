"""Recorded chat trajectories become runs in the journal, as if they had been recorded by us.

Reading lines, understanding a line, deriving identities, and writing events are a file each; why
they decide as they do is in `design/007-import.md`.
"""
