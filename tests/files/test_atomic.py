"""Files that are replaced whole, or not at all: model files and checkpoints.

Processes killed in the middle are in reliability/test_kills.py.
"""

import errno
import fcntl
import os
import stat

import numpy as np
import pytest
from oracles import python

from cnnkit import CNNClassifier, load, save
from cnnkit.files import atomic


def put(path, text, before=None):
    """Replace a file by a text; `before` is called when half of it is written."""

    def write(file):
        file.write(text[: len(text) // 2].encode())
        file.flush()
        if before is not None:
            before()
        file.write(text[len(text) // 2 :].encode())

    atomic.replace(path, write, "put")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "good.safetensors"
    save(CNNClassifier(max_iter=2).fit(np.eye(6).reshape(6, 3, 2), [0, 1] * 3), path)
    return path


def test_an_old_file_is_replaced_and_keeps_its_mode(good, tmp_path):
    path = tmp_path / "model"
    path.write_text("old")
    path.chmod(0o640)
    save(load(good), path)
    assert load(path).n_iter_ == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_links_are_followed(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dangling").symlink_to("none")
    for name in ("link", "dangling"):
        put(tmp_path / name, "new")
        assert (tmp_path / name).is_symlink()
    assert (tmp_path / "real").read_text() == (tmp_path / "none").read_text() == "new"


def test_an_error_leaves_the_old_file(tmp_path):
    path = tmp_path / "model"
    path.write_text("old")

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put(path, "half", interrupt)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_folders(good, tmp_path):
    with pytest.raises(IsADirectoryError, match="save: path must be a file's, got a folder's"):
        save(load(good), tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        save(load(good), tmp_path / "none" / "model")
    assert caught.value.filename == str(tmp_path / "none" / "model")


def test_what_is_no_regular_file_stays(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    (tmp_path / "link").symlink_to(path)
    for name in (path, tmp_path / "link", "/dev/null"):
        with pytest.raises(OSError, match="put: path must be a regular file's") as caught:
            put(name, "new")
        assert caught.value.filename == str(name)
    assert path.is_fifo()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "pipe"]


@pytest.mark.parametrize("path", [None, 3, 1.5, ["x"]])
def test_what_is_no_path(path):
    with pytest.raises(TypeError, match="put: path must be a str, bytes or path-like, got "):
        put(path, "new")


@pytest.mark.parametrize("path", ["", b"", "x\0y", "folder/"])
def test_what_names_nothing(path):
    with pytest.raises(ValueError, match="put: path must be a file's name"):
        put(path, "new")


@pytest.mark.parametrize("name", ["n" * 255, b"\xff", "\u00e9" * 127, "mo[d]el*"])
def test_every_name_that_a_file_can_have(tmp_path, name):
    path = os.path.join(os.fsencode(tmp_path), os.fsencode(name))
    for text in ("first", "second"):
        put(path, text)
    with open(path) as file:
        assert file.read() == "second"
    assert len(list(tmp_path.iterdir())) == 1


def test_errors_name_the_target(tmp_path):
    path = tmp_path / ("n" * 256)
    with pytest.raises(OSError, match="name too long") as caught:
        put(path, "new")
    assert caught.value.filename == str(path)

    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        put(tmp_path / "model", "new", full)
    assert caught.value.filename == str(tmp_path / "model")


def test_a_place_is_tried_before_there_is_something_to_write(tmp_path):
    path = tmp_path / "model"
    path.write_text("old")
    atomic.check(path, "check")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    with pytest.raises(FileNotFoundError):
        atomic.check(path.with_name("none") / "model", "check")


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(tmp_path, monkeypatch, code):
    def flock(descriptor, how):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    put(tmp_path / "model", "first", lambda: put(tmp_path / "model", "second"))
    assert (tmp_path / "model").read_text() == "first"
    monkeypatch.setattr(fcntl, "flock", lambda *_: os.stat(tmp_path / "none"))
    with pytest.raises(FileNotFoundError):
        put(tmp_path / "model", "third")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_must_not_be_written(good, tmp_path):
    (tmp_path / "model").write_text("old")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError) as caught:
            save(load(good), tmp_path / "model")
        assert caught.value.filename == str(tmp_path / "model")
    finally:
        tmp_path.chmod(0o700)
    assert (tmp_path / "model").read_text() == "old"


def test_a_full_disk(good, tmp_path):
    (tmp_path / "model").write_text("old")
    code = f"""if True:
        import resource, signal, sys
        from cnnkit import load, save
        clf = load({str(good)!r})
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        most, ever = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, ever))
        try:
            save(clf, {str(tmp_path / "model")!r})
        except Exception as error:
            print(isinstance(error, OSError), "[Errno 27]" in str(error) or error)
        finally:  # counters of coverage are written at exit
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, ever))
    """
    assert python(code).stdout == "True True\n"
    assert (tmp_path / "model").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_two_writers(tmp_path):
    path = tmp_path / "model"
    put(path, "first", lambda: put(path, "second"))
    assert path.read_text() == "first"
    assert len(list(tmp_path.iterdir())) == 1


def test_another_writer_between_making_and_locking(tmp_path, monkeypatch):
    """It takes the file for one left behind; what is written then is a file of its own."""
    path = tmp_path / "model"
    path.write_text("old")
    path.chmod(0o600)
    flock, synced, others = fcntl.flock, [], ["second", "third"]

    def late(descriptor, how):
        if others and how == fcntl.LOCK_EX:
            monkeypatch.setattr(fcntl, "flock", flock)
            put(path, others.pop(0))
            monkeypatch.setattr(fcntl, "flock", late)
        flock(descriptor, how)

    def sync(descriptor):
        synced.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(fcntl, "flock", late)
    monkeypatch.setattr(os, "fsync", sync)
    put(path, "first")
    assert not others
    assert path.read_text() == "first"
    assert path.stat().st_ino in synced
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
