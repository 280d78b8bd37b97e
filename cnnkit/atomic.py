"""Files that are there whole: the old one or the new one, whatever happens in between."""

import contextlib
import fcntl
import os
import secrets
import stat
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """Give the name of a file to write, which takes the place of `path` when all is well.

    The file lies beside the target, is flushed to the disk and renamed, and the folder flushed. On
    an error it is removed. What a process killed in the middle left behind goes when the same
    target is written next: whoever writes a file holds a lock on it, and the lock ends with the
    process.

    Parameters
    ----------
    path : str or Path
        A link is followed.

    Raises
    ------
    OSError
        If the folder or the file cannot be written; the old file stays.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a file to write.")
    _remove_left_behind(target)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if target.exists():
            os.fchmod(descriptor, stat.S_IMODE(target.stat().st_mode))
        yield beside
        os.fsync(descriptor)
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _remove_left_behind(target):
    """Remove temporary files of `target` that nobody holds a lock on."""
    for found in target.parent.glob(f".{_literal(target.name)}.????????.tmp"):
        with contextlib.suppress(OSError):
            descriptor = os.open(found, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                found.unlink()
            finally:
                os.close(descriptor)


def _literal(name):
    """Return a pattern of `glob` that matches `name` alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
