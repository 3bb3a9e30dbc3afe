"""Writes the reference pages: `make docs`."""

from __future__ import annotations

from reference_pages.pages import write

for path in write():
    print(f"wrote docs/reference/{path.name}")
