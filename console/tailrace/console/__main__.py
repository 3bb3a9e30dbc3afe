"""`python -m tailrace.console`: the same as `tailrace`, where no script is on the path."""

import sys

from tailrace.console.cli import main

sys.exit(main())
