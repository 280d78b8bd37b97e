"""Atomic replacement of files: at any time the old file or the new one is there, whole."""

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import zlib
from pathlib import Path

LOCKLESS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # errors of file systems without locks


def replace(path, write, owner):
    """Call `write` with a new file, which replaces `path` if `write` succeeds.

    The file lies beside the target. It is flushed to the disk and renamed, and the folder is
    flushed. On an error it is removed. A file that a killed process left behind is removed when the
    same target is written next: a writer holds a lock on its file, and the lock ends with the
    process. If the file system has no locks, the file stays.

    Parameters
    ----------
    path : str, bytes or path-like
        A link is followed. The target must be a regular file, or not exist yet.
    write : callable
        Called with the binary file, open for writing.
    owner : str
        Start of errors about `path`.

    Raises
    ------
    TypeError, ValueError
        If `path` cannot be the name of a file.
    OSError
        If the folder or the file cannot be written; the old file stays.
    """
    with _beside(path, owner) as (beside, descriptor, target, folder):
        with contextlib.suppress(FileNotFoundError):
            os.fchmod(descriptor, stat.S_IMODE(os.stat(target).st_mode))
        with open(descriptor, "wb", closefd=False) as file:
            write(file)
        os.fsync(descriptor)
        os.replace(beside, target)
        os.fsync(folder)


def check(path, owner):
    """Raise the errors of `replace` that are known before there is something to write."""
    with _beside(path, owner):
        pass


def file_name(path, owner):
    """Return `path` as text; raise an error unless it can be the name of a file."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"{owner}: path must be a str, bytes or path-like, got {path!r}.")
    name = os.fsdecode(path)
    if not name or "\0" in name or name.endswith(os.sep):
        raise ValueError(
            f"{owner}: path must be a file's name, without null characters, got {path!r}."
        )
    return name


@contextlib.contextmanager
def _beside(path, owner):
    """Make a file beside the target of `path`, and remove it unless it was renamed.

    The context gives its name, its descriptor, the name of the target and the descriptor of the
    folder. Errors of all of them name `path`, the only name that the caller knows.
    """
    name = file_name(path, owner)
    target = os.path.realpath(name)
    names = {None, target, os.path.dirname(target)}
    with contextlib.ExitStack() as stack:
        try:
            _check_kind(target, owner)
            folder = os.open(os.path.dirname(target), os.O_RDONLY)
            stack.callback(os.close, folder)
            _remove_left_behind(target)
            while True:
                beside = f"{_start(target)}{secrets.token_hex(4)}.tmp"
                names.add(beside)
                descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
                stack.callback(os.close, descriptor)
                stack.callback(Path(beside).unlink, missing_ok=True)
                _lock(descriptor, fcntl.LOCK_EX)
                if _is_at(descriptor, beside):
                    break  # else another writer has removed it as left behind
            yield beside, descriptor, target, folder
        except OSError as error:
            if error.errno is None or error.filename not in names:
                raise
            raise OSError(error.errno, error.strerror, name) from error


def _check_kind(target, owner):
    """Raise if `target` exists and is not a regular file."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, f"{owner}: path must be a file's, got a folder's", target)
    if not stat.S_ISREG(mode):
        text = f"{owner}: path must be a regular file's, got a device's or a pipe's"
        raise OSError(errno.EINVAL, text, target)


def _start(target):
    """Return the start of the names of files beside `target`, short even if its name is long."""
    folder, name = os.path.split(target)
    return os.path.join(folder, f".cnnkit-{zlib.crc32(os.fsencode(name)):08x}-")


def _lock(descriptor, how):
    """Lock a file if its file system has locks."""
    try:
        fcntl.flock(descriptor, how)
    except OSError as error:
        if error.errno not in LOCKLESS:
            raise


def _is_at(descriptor, name):
    """Say whether an open file still has that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(name))
    except FileNotFoundError:
        return False


def _remove_left_behind(target):
    """Remove files beside `target` on which nobody holds a lock."""
    start = Path(_start(target))
    for found in start.parent.glob(f"{start.name}????????.tmp"):
        with contextlib.suppress(OSError):
            descriptor = os.open(found, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                found.unlink()
            finally:
                os.close(descriptor)
