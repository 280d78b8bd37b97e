"""Messages on stderr, beside the result on stdout, and the check of the file of a result."""

import sys
from pathlib import Path

from cnnkit.files import atomic


def warn(text):
    """Print a warning on stderr; the command goes on."""
    print(f"cnnkit: warning: {text}", file=sys.stderr)


def shown(name):
    """Return a file's name as one line of text, quoted if it has invisible characters."""
    name = str(name)
    return name if name.isprintable() else ascii(name)


def check_output(name, option, force, advice="--force replaces it"):
    """Raise if a file could not be written, or would replace another without `force`.

    `option` is what errors call it, and `advice` says what to do about a file that exists.
    """
    path = Path(name)
    folder = path.resolve().parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{option}: the folder {shown(folder)} does not exist.")
    atomic.check(name, option)
    if path.exists() and not force:
        raise FileExistsError(f"{option}: {shown(path)} exists; {advice}.")
