"""Messages on stderr, beside the result on stdout."""

import sys


def warn(text):
    """Print a warning on stderr; the command goes on."""
    print(f"cnnkit: warning: {text}", file=sys.stderr)


def shown(name):
    """Return a file's name as one line of text, quoted if it has invisible characters."""
    name = str(name)
    return name if name.isprintable() else ascii(name)
