"""``python -m cnnkit``: see `cnnkit.cli`."""

import sys

from cnnkit.cli import main

if __name__ == "__main__":
    sys.exit(main())
