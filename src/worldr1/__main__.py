"""``python -m worldr1``: what launchers of several processes start."""

import sys

from worldr1.cli import main

if __name__ == "__main__":
    sys.exit(main())
