"""Files that are replaced whole, or not at all: model files and checkpoints.

Processes killed in the middle are in reliability/test_kills.py.
"""

import os
import stat

import numpy as np
import pytest
from oracles import python

from cnnkit import CNNClassifier, load, save
from cnnkit.atomic import replacing

pytest.importorskip("safetensors")


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
    with replacing(tmp_path / "link") as beside:
        beside.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_an_error_leaves_the_old_file(tmp_path):
    path = tmp_path / "model"
    path.write_text("old")
    writer = replacing(path)
    writer.__enter__().write_text("half")
    assert not writer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_folders(good, tmp_path):
    with pytest.raises(IsADirectoryError):
        save(load(good), tmp_path)
    with pytest.raises(FileNotFoundError):
        save(load(good), tmp_path / "none" / "model")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_must_not_be_written(good, tmp_path):
    (tmp_path / "model").write_text("old")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            save(load(good), tmp_path / "model")
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
    path = tmp_path / "mo[d]el*"
    with replacing(path) as first:
        first.write_text("first")
        with replacing(path) as second:
            second.write_text("second")
        assert first.exists()
    assert path.read_text() == "first"
    assert len(list(tmp_path.iterdir())) == 1
