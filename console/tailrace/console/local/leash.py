"""A program that runs one command and ends it when whoever started the program is gone.

Run as a script, by path, in a process of its own: `leash.py NICE GRACE_S COMMAND...`. It writes the
command's pid to standard output; the command writes to this program's standard error. Standard
input is a pipe that nobody writes to: its end means that the starter died, however it died, and the
command gets SIGTERM, then SIGKILL. A process of its own can do on every platform, and without any
code between fork and exec in a threaded parent, what `PR_SET_PDEATHSIG` does on Linux alone. It
imports nothing of Tailrace, so that it starts in 20 ms.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Run the command to its end; return its exit code, or 128 + the signal that ended it."""
    nice, grace_s, *command = arguments
    os.nice(int(nice))
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            preexec_fn=_die_with_leash if sys.platform == "linux" else None,  # noqa: PLW1509 - one thread here
        )
    except OSError as error:
        print(f"{command[0]} does not run: {error.strerror}", file=sys.stderr)  # noqa: T201 - the log
        return 127

    def forward(*_: object) -> None:
        os.kill(child.pid, signal.SIGTERM)

    signal.signal(signal.SIGTERM, forward)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.write(1, f"{child.pid}\n".encode())
    watch = threading.Thread(target=_end_with_starter, args=(child, float(grace_s)), daemon=True)
    watch.start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _die_with_leash() -> None:
    """Have the kernel end the command if this program itself is killed; another net, Linux only."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end_with_starter(child: subprocess.Popen[bytes], grace_s: float) -> None:
    while os.read(0, 1024):
        pass
    child.terminate()
    try:
        child.wait(grace_s)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
