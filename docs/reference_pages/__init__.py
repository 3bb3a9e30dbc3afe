"""The pages under `docs/reference/`, made from what the code declares; never edited by hand.

`make docs` writes them, and a test holds the committed pages to what would be written today.
"""
