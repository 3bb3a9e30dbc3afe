"""Whether a forked child has claimed the offer that was made for it, or never will.

Most children of an agent record nothing: a shell behind a terminal, a worker that computes. An
offer to such a one would hold its execution open until its time has passed. So parent and child
share a byte, which the child sets when it claims, and a pipe, whose end the parent sees when the
child is gone or has become another program.
"""

from __future__ import annotations

import os
import weakref
from mmap import mmap


class ForkWatch:
    """Made before a fork, in the parent; used on both sides of it."""

    def __init__(self) -> None:
        """Open the pipe; raises OSError where there are no descriptors left."""
        self._byte = mmap(-1, 1)
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        self._close = weakref.finalize(self, os.close, self._read)

    def leave_to_child(self) -> None:
        """In the parent, after the fork: let go of the child's end."""
        os.close(self._write)

    def claim(self) -> None:
        """In the child: say that the offer is claimed."""
        self._byte[0] = 1

    def may_be_claimed(self) -> bool:
        """In the parent, at the end of the run: say whether the offer is claimed or still may be.

        It is the last thing that is asked.
        """
        try:
            gone = os.read(self._read, 1) == b""
        except BlockingIOError:
            gone = False
        self._close()
        # Looked at after the end of the pipe: what the child did before it ended is seen.
        return self._byte[0] == 1 or not gone
