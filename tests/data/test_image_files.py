"""Lists of image files: their common form, and what is said where there is none."""

import pickle

import numpy as np
import pytest
from photos import COLOURS, GREY, save

from cnnkit.data import LazyArray
from cnnkit.data.decoding import Form
from cnnkit.data.image_files import ImageFiles, check_jobs, readable, settled


def form_of(*paths, size=None, mode=None):
    return settled(list(paths), size, mode, "stretch", 0, 2, "Reader")


def test_the_form_is_that_of_the_images(tmp_path):
    grey, colours = save(tmp_path / "g.png", GREY), save(tmp_path / "c.png")
    deep = save(tmp_path / "d.png", GREY.astype(np.uint16))
    floats = save(tmp_path / "f.tif", GREY.astype(np.float32))
    assert form_of(grey) == Form((30, 40), "L", "stretch", 0)
    assert form_of(grey, colours).mode == "RGB"
    assert form_of(deep).mode == "I;16"
    assert form_of(floats, size=7) == Form((7, 7), "F", "stretch", 0)
    assert form_of("no/such/file", size=(2, 3), mode="L").size == (2, 3)  # not looked at
    with pytest.raises(ValueError, match=r"g\.png in 'L' and .*d\.png in 'I;16'"):
        form_of(grey, deep)
    other = save(tmp_path / "o.png", GREY[:7])
    with pytest.raises(ValueError, match=r"g\.png of 30 x 40 and .*o\.png of 7 x 40"):
        form_of(grey, other)
    with pytest.raises(ValueError, match="none of 0 image files can be read"):
        form_of()


def test_rows_are_images(tmp_path):
    paths = [str(save(tmp_path / f"{k}.png", GREY + k)) for k in range(4)]
    files = ImageFiles(paths, Form((30, 40), "L", "stretch", 0))
    assert (files.shape, files.dtype) == ((4, 30, 40, 1), np.uint8)
    np.testing.assert_array_equal(files[1:3][..., 0], [GREY + 1, GREY + 2])
    np.testing.assert_array_equal(files[np.array([0, 3])][..., 0], [GREY, GREY + 3])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(files))[3:][..., 0], [GREY + 3])


def test_fingerprints_change_with_files_and_forms(tmp_path):
    path = save(tmp_path / "a.png", GREY)
    form = Form((30, 40), "L", "stretch", 0)
    found = ImageFiles([str(path)], form).fingerprint()
    assert found == ImageFiles([str(path)], form).fingerprint()
    assert found != ImageFiles([str(path)], form._replace(mode="RGB")).fingerprint()
    save(path, COLOURS)
    assert found != ImageFiles([str(path)], form).fingerprint()


def test_a_file_that_changes_its_size_is_named(tmp_path):
    path = save(tmp_path / "a.png", GREY)
    files = ImageFiles([str(path)], form_of(str(path))._replace(size=(31, 40)))
    assert files[:1].shape == (1, 31, 40, 1)  # resized
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.png"):
        files[:1]


def test_unreadable_files_have_reasons(tmp_path):
    good, bad = str(save(tmp_path / "good.png")), str(tmp_path / "bad.png")
    (tmp_path / "bad.png").write_text("no image")
    paths, faults = [good, bad, str(tmp_path / "none.png")], {}
    form = settled(paths, None, None, "stretch", 0, 2, "Reader", faults)
    assert faults.keys() == {bad, str(tmp_path / "none.png")}
    assert "it is no image" in str(faults[bad])
    again = {}
    images = LazyArray(ImageFiles(paths, form), n_jobs=2, cache="memory")
    assert readable(images, paths, again).tolist() == [0]
    assert again.keys() == faults.keys()


def test_numbers_of_threads():
    assert check_jobs(None, "Reader") >= 1
    assert check_jobs(3, "Reader") == 3
    for wrong in (0, -1, 1.5, "2"):
        with pytest.raises((ValueError, TypeError), match="Reader: n_jobs must be"):
            check_jobs(wrong, "Reader")
