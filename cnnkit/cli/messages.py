"""What is said on stderr, beside the result."""

import sys


def warn(text):
    """Say what is amiss where the command goes on."""
    print(f"cnnkit: warning: {text}", file=sys.stderr)


def shown(name):
    """Return a file's name as one line of text: quoted where a character of it cannot be seen."""
    name = str(name)
    return name if name.isprintable() else ascii(name)
