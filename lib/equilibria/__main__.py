"""``python -m equilibria``: the command line of `equilibria.companion.command_line`."""

import sys

from equilibria.companion.command_line import main

if __name__ == "__main__":
    sys.exit(main())
