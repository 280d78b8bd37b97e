"""Folders of photos: what is found in them, and what is left out."""

import os
import warnings

import numpy as np
import pytest
from photos import COLOURS, GREY, class_folder, pillow, save

from cnnkit import CNNClassifier
from cnnkit.data import LazyArray, load_image_folder, load_image_stack


@pytest.fixture
def folder(tmp_path):
    return class_folder(tmp_path / "photos")


def test_a_folder_is_a_bunch(folder):
    found = load_image_folder(folder)
    assert isinstance(found.data, LazyArray)
    assert found.data.shape == (8, 12, 16, 3)
    assert found.target.tolist() == [0] * 4 + [1] * 4
    assert found.target_names == ["cat", "dog"]
    assert [os.path.relpath(name, folder) for name in found.filenames[:2]] == [
        "cat/0.png",
        "cat/1.png",
    ]
    assert found.skipped == []
    image = np.asarray(pillow().open(folder / "dog" / "3.png"))
    np.testing.assert_array_equal(found.data[7], image)
    np.testing.assert_array_equal(found.data[-1:], image[None])


def test_a_network_learns_from_a_folder(folder):
    photos = load_image_folder(folder, size=8, mode="L", n_jobs=2)
    clf = CNNClassifier(max_iter=40, random_state=0).fit(photos.data, photos.target)
    assert clf.score(photos.data, photos.target) == 1
    inside = CNNClassifier(max_iter=40, random_state=0).fit(np.asarray(photos.data), photos.target)
    np.testing.assert_array_equal(
        clf.predict_proba(photos.data), inside.predict_proba(np.asarray(photos.data))
    )


def test_folders_within_and_hidden_files(folder):
    save(folder / "cat" / "more" / "5.png", COLOURS[:12, :16])
    save(folder / "cat" / ".hidden.png", COLOURS)
    save(folder / ".git" / "x.png", COLOURS)
    (folder / "dog" / "notes.txt").write_text("good dogs")
    (folder / "empty").mkdir()
    found = load_image_folder(folder)
    assert np.bincount(found.target).tolist() == [5, 4]
    assert found.target_names == ["cat", "dog"]


def test_sizes_and_modes_that_differ_must_be_given(folder):
    save(folder / "cat" / "wide.png", np.hstack([COLOURS, COLOURS]))
    with pytest.raises(ValueError, match=r"load_image_folder: size must be given.*wide\.png"):
        load_image_folder(folder)
    assert load_image_folder(folder, size=(5, 6)).data.shape == (9, 5, 6, 3)
    save(folder / "cat" / "grey.png", GREY)
    assert load_image_folder(folder, size=5).data.shape == (10, 5, 5, 3)
    assert load_image_folder(folder, size=5, mode="L").data.shape == (10, 5, 5, 1)


def test_files_that_cannot_be_read_are_raised_or_skipped(folder):
    (folder / "cat" / "broken.png").write_bytes((folder / "cat" / "0.png").read_bytes()[:200])
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    wide = save(folder / "cat" / "wide.png", noise)
    wide.write_bytes(wide.read_bytes()[:1500])  # of another size, which must not matter
    (folder / "dog" / "text.png").write_text("woof")
    with pytest.raises(OSError, match=r"text\.png: it is no image"):
        np.asarray(load_image_folder(folder, size=8, mode="L").data[-1:])
    with pytest.warns(UserWarning, match=r"3 of 11 image files are left out: .*broken\.png"):
        found = load_image_folder(folder, on_error="skip")
    assert found.data.shape == (8, 12, 16, 3)
    assert found.target.tolist() == [0] * 4 + [1] * 4
    assert [os.path.basename(name) for name in found.skipped] == [
        "broken.png",
        "wide.png",
        "text.png",
    ]
    assert np.asarray(found.data).shape == (8, 12, 16, 3)


def test_a_class_without_a_readable_image_is_an_error(tmp_path):
    folder = class_folder(tmp_path / "photos", count=1)
    (folder / "dog" / "0.png").write_text("woof")
    with pytest.raises(ValueError, match="no image of the class 'dog' can be read"):
        load_image_folder(folder, on_error="skip")


def test_files_that_vanish_are_named(folder):
    found = load_image_folder(folder)
    (folder / "dog" / "2.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"dog/2\.png"):
        CNNClassifier(max_iter=1).fit(found.data, found.target)


def test_links_must_not_lead_out(folder, tmp_path):
    outside = save(tmp_path / "elsewhere" / "secret.png", COLOURS[:12, :16])
    (folder / "cat" / "link.png").symlink_to(outside)
    with pytest.raises(ValueError, match=r"lead out of the folder, got '.*link\.png'.*secret\.png"):
        load_image_folder(folder)
    assert len(load_image_folder(folder, follow_links=True).data) == 9
    (folder / "cat" / "link.png").unlink()
    (folder / "cat" / "again.png").symlink_to(folder / "cat" / "0.png")  # within the folder
    assert len(load_image_folder(folder).data) == 9
    (folder / "bird").symlink_to(outside.parent)
    with pytest.raises(ValueError, match=r"lead out of the folder, got '.*bird'"):
        load_image_folder(folder)


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [
        ("nowhere", FileNotFoundError, "path must exist"),
        ("photos/cat/0.png", ValueError, "path must be a folder"),
        ("photos/cat", ValueError, "at least two classes, got 0"),
    ],
)
def test_paths_that_are_no_folder_of_folders(path, error, said, folder, tmp_path):
    with pytest.raises(error, match=f"load_image_folder: .*{said}"):
        load_image_folder(tmp_path / path)


def test_arguments_are_checked(folder):
    for given in ({"on_error": "ignore"}, {"mode": "BGR"}, {"fit": "cut"}, {"n_jobs": 0}):
        name = next(iter(given))
        with pytest.raises(ValueError, match=f"load_image_folder: {name} must be"):
            load_image_folder(folder, **given)


def test_a_cache_is_read_in_the_place_of_files(folder, tmp_path):
    np.asarray(load_image_folder(folder, cache=tmp_path / "c").data)
    found = load_image_folder(folder, cache=tmp_path / "c", size=(12, 16), mode="RGB")
    wanted = np.asarray(load_image_folder(folder).data)
    for path in folder.rglob("*.png"):
        path.unlink()
    np.testing.assert_array_equal(found.data, wanted)


def test_stacks_are_all_frames(tmp_path):
    image = pillow()
    deep = [GREY.astype(np.uint16) * 99 + k for k in range(4)]
    frames = [image.fromarray(array) for array in deep]
    path = save(tmp_path / "cells.tif", frames[0], save_all=True, append_images=frames[1:])
    one = save(tmp_path / "one.tif", deep[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(np.asarray(load_image_stack(path))[..., 0], deep)
        found = load_image_stack([one, path])
    assert found.shape == (5, 30, 40, 1)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found[4][..., 0], deep[3])
    assert load_image_stack(path, size=6, mode="F").dtype == np.float32
    with pytest.raises(ValueError, match="load_image_stack: path must name at least one file"):
        load_image_stack([])
