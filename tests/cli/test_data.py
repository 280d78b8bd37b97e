"""Files and folders as users of the command line have them."""

import csv
import io
import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from seeded import generator

from cnnkit import CNNClassifier, load, save

Image = pytest.importorskip("PIL.Image")

SHORT = ("--epochs", 1, "--validation-fraction", 0, "--learning-rate", 0.01)


@pytest.fixture
def photos(tmp_path):
    """A folder with three photos of each of two classes."""
    root, rng = tmp_path / "photos", generator(0)
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        for k in range(3):
            pixels = rng.integers(0, 255, (6, 8, 3), np.uint8)
            Image.fromarray(pixels).save(root / name / f"{k}.png")
    return root


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A file with a classifier of photos of 6x8x3."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    X = generator(1).integers(0, 255, (6, 6, 8, 3), np.uint8)
    save(CNNClassifier("lenet5", max_iter=1, random_state=0).fit(X, ["cat", "dog"] * 3), path)
    return path


@pytest.fixture
def train(run, photos, tmp_path):
    """Train on the photos: code, stdout, stderr."""

    def train(*words, data=photos):
        return run("train", data, *SHORT, "-f", "--output", tmp_path / "model", *words)

    return train


class TestPhotos:
    def test_they_are_turned_as_the_camera_was_held(self, train, run, model, photos):
        """The pixels on the disk lie on their side: 8x6, to be turned to 6x8."""
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned clockwise
        upright, lying = photos / "cat" / "0.png", photos / "cat" / "1.png"
        with Image.open(upright) as image:
            turned = image.transpose(Image.Transpose.ROTATE_90)
        assert turned.size == (6, 8)
        turned.save(lying, exif=exif)
        code, out, err = train()
        assert (code, err) == (0, "")
        assert out.startswith("6 images of 6x8x3 in 2 classes")
        code, out, err = run("predict", model, upright, lying, "--proba")
        assert (code, err) == (0, "")
        first, second = list(csv.reader(io.StringIO(out)))[1:]
        assert first[1:] == second[1:]

    def damaged(self, folder):
        """Write files that cannot be read, and return the reason for each."""
        good = (folder / "1.png").read_bytes()
        (folder / "text.png").write_text("no image")
        (folder / "empty.jpg").touch()
        (folder / "half.png").write_bytes(good[: len(good) // 2])
        Image.fromarray(np.zeros((90, 90, 3), np.uint8)).save(folder / "whole.jpg")
        (folder / "cut.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:700])
        (folder / "whole.jpg").unlink()
        Image.fromarray(np.zeros((6, 8), np.uint16)).save(folder / "deep.png")
        (folder / "lost.png").symlink_to(folder / "nowhere.png")
        return {
            "cut.jpg": "image file is truncated",
            "deep.png": "must have 8 bits a channel for mode='RGB', got mode I;16",
            "empty.jpg": "it is no image, or of a kind that Pillow does not read",
            "half.png": "",
            "lost.png": "No such file or directory",
            "text.png": "it is no image, or of a kind that Pillow does not read",
        }

    def test_one_that_cannot_be_read_is_left_out_of_training(self, train, photos, tmp_path):
        reasons = self.damaged(photos / "dog")
        code, out, err = train()
        *lines, last = err.splitlines()
        assert code == 0
        assert out.startswith("6 images of 6x8x3 in 2 classes")
        for line, (name, reason) in zip(lines, reasons.items(), strict=True):
            assert line.startswith(
                f"cnnkit: warning: {photos / 'dog' / name} is left out: {reason}"
            )
        assert last == "cnnkit: warning: 6 of 12 image files are left out."
        assert load(tmp_path / "model").classes_.tolist() == ["cat", "dog"]

    def test_the_others_are_predicted_and_the_exit_code_says_so(self, run, model, photos):
        reasons = self.damaged(photos / "dog")
        code, out, err = run("predict", model, photos / "dog", photos / "none.png")
        rows = list(csv.DictReader(io.StringIO(out)))
        assert code == 1
        assert [row["name"] for row in rows] == [str(photos / "dog" / f"{k}.png") for k in range(3)]
        assert all(str(photos / "dog" / name) in err for name in reasons)
        assert f"{photos / 'none.png'} is left out: No such file or directory\n" in err
        assert err.endswith("cnnkit: error: 7 of 10 image files are left out.\n")

    def test_none_that_can_be_read_is_an_error(self, train, run, model, photos):
        for file in photos.glob("dog/*.png"):
            file.write_text("no image")
        code, _, err = train()
        assert code == 1
        assert err.endswith("cnnkit: error: no image of the classes dog can be read.\n")
        code, out, err = run("predict", model, photos / "dog")
        assert (code, out) == (1, "")
        assert err.endswith("cnnkit: error: none of 3 image files can be read.\n")
        for file in photos.glob("cat/*.png"):
            file.write_text("no image")
        assert train()[2].endswith("none of 6 image files can be read.\n")

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
    def test_modes(self, run, model, photos, mode):
        suffix = ".png" if mode in ("1", "L", "LA", "P", "RGB", "RGBA") else ".jpg"
        file = photos / f"image{suffix}"
        with Image.open(photos / "cat" / "1.png") as image:
            image.convert(mode).save(file)
        code, out, err = run("predict", model, file)
        assert (code, out.count("\n"), err) == (0, 2, "")

    def test_frames(self, run, model, photos):
        frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue", "green")]
        file = photos / "moving.gif"
        frames[0].save(file, save_all=True, append_images=frames[1:])
        code, _, err = run("predict", model, file)
        assert code == 0
        assert err.startswith(f"cnnkit: warning: {file} has 3 frames, of which the first is taken")
        assert err.count("\n") == 1

    def test_bombs(self, run, model, photos, monkeypatch):
        files = photos / "cat" / "1.png", photos / "dog" / "1.png"
        Image.new("RGB", (20, 20)).save(files[1])
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
        code, out, err = run("predict", model, *files)
        assert code == 1
        assert out.count("\n") == 2
        first, second, _ = err.splitlines()
        assert first.startswith("cnnkit: warning: Image size (48 pixels) exceeds")
        assert second.startswith(f"cnnkit: warning: {files[1]} is left out: Image size (400 pix")


class TestFolders:
    def test_hidden_files_are_passed_over(self, train, run, model, photos):
        for name in (".DS_Store", "._0.png", "Thumbs.db", "notes.txt", "0.png.part"):
            (photos / "cat" / name).write_text("no image")
            (photos / name).write_text("no image")
        for name in (".ipynb_checkpoints", "__MACOSX"):
            for folder in (photos, photos / "cat"):
                (folder / name).mkdir()
                (folder / name / "0.png").write_text("no image")
        code, out, err = train()
        assert (code, err) == (0, "")
        assert out.startswith("6 images of 6x8x3 in 2 classes")
        code, out, err = run("predict", model, photos)
        assert (code, out.count("\n"), err) == (0, 7, "")

    def test_images_beside_the_classes(self, train, photos):
        (photos / "cat" / "0.png").rename(photos / "loose.png")
        code, _, err = train()
        assert code == 0
        assert "1 images in" in err
        assert err.endswith("itself are of no class and left out.\n")
        code, _, err = train(data=photos / "cat")
        assert code == 1
        assert "at least two classes, got 0 folders and 2 images beside them." in err

    def test_no_images_of_a_class(self, train, photos):
        (photos / "fish").mkdir()
        (photos / "fish" / "notes.txt").touch()
        assert "at least two classes, got none in fish." in train()[2]

    def test_classes_that_differ_in_case(self, train, photos):
        (photos / "cat").rename(photos / "Dog")
        code, _, err = train()
        assert code == 0
        assert err == (
            "cnnkit: warning: Dog, dog are classes that differ only in case or in how accents are "
            "written.\n"
        )

    def test_odd_names(self, train, run, tmp_path, photos):
        (photos / "cat").rename(photos / "a cat,\n'Tom' \N{CAT}")
        (photos / "dog" / "0.png").rename(photos / "dog" / '-\n,".png')
        (photos / "dog" / "1.png").rename(photos / "dog" / "no\nimage.png")
        (photos / "dog" / "no\nimage.png").write_text("no image")
        code, _, err = train()
        assert (code, err.count("\n")) == (0, 2)
        assert "no\\nimage.png' is left out: it is no image" in err
        code, out, _ = run("predict", tmp_path / "model", photos)
        rows = list(csv.DictReader(io.StringIO(out)))
        assert (code, len(rows)) == (1, 5)
        assert f'{photos}/dog/-\n,".png' in {row["name"] for row in rows}

    def test_names_that_are_no_text(self, train, model, photos):
        name = os.fsencode(photos / "dog") + b"/\xff.png"
        os.rename(photos / "dog" / "2.png", name)
        command = [sys.executable, "-P", "-m", "cnnkit", "predict", model, name]
        done = subprocess.run(command, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.splitlines()[1].startswith(name + b",")
        os.rename(photos / "dog", os.fsencode(photos) + b"/\xff")
        code, _, err = train()
        assert code == 1
        assert "must hold folders named in UTF-8, got '\\udcff'." in err

    def test_links_that_lead_nowhere(self, train, photos):
        (photos / "fish").symlink_to(photos / "nowhere")
        code, _, err = train()
        assert (code, err) == (
            1,
            f"cnnkit: error: {photos / 'fish'} is a link that leads nowhere.\n",
        )

    def test_a_folder_that_must_not_be_read(self, train, photos, monkeypatch):
        scan = os.scandir

        def refuse(folder):
            if str(folder).endswith("cat"):
                raise PermissionError(13, "Permission denied", str(folder))
            return scan(folder)

        monkeypatch.setattr(os, "scandir", refuse)  # the superuser may read everything
        code, _, err = train()
        message = f"cnnkit: error: [Errno 13] Permission denied: '{photos / 'cat'}'\n"
        assert (code, err) == (1, message)

    @pytest.mark.parametrize("options", [["--size", "4x4"], ["--image-shape", "4x4"], []])
    def test_a_folder_that_is_not_there(self, train, photos, options):
        code, _, err = train(*options, data=photos / "none")
        rule = "must be 'digits', an .npz file or a folder"
        assert (code, err) == (1, f"cnnkit: error: {photos / 'none'} {rule}, and does not exist.\n")
        code, _, err = train(*options, data=photos / "cat" / "0.png")
        assert code == 1
        assert err.endswith(f"0.png {rule}, got a file of another kind.\n")


class TestArrays:
    @pytest.mark.parametrize("shape", [(), (4,), (4, 2, 2, 1, 1)])
    def test_shapes(self, train, run, model, tmp_path, shape):
        np.savez(tmp_path / "X.npz", X=np.ones(shape), y=[0, 1, 0, 1])
        for code, _, err in (
            train(data=tmp_path / "X.npz"),
            run("predict", model, tmp_path / "X.npz"),
        ):
            assert code == 1
            assert (
                f"must hold X of shape (n, features), (n, H, W) or (n, H, W, C), got {shape}."
                in err
            )

    def test_lengths(self, run, model, tmp_path):
        np.savez(tmp_path / "X.npz", X=np.ones((4, 6, 8, 3)), y=["cat"])
        code, out, err = run("predict", model, tmp_path / "X.npz")
        assert (code, out) == (1, "")
        assert "must hold a y for each of 4 images, got (1,)." in err

    def test_damage(self, train, tmp_path):
        """Archives cut off, with a bit flipped, or no archives, are errors of one line."""
        np.savez_compressed(tmp_path / "X.npz", X=generator(0).random((4, 5, 5)), y=[0, 1, 0, 1])
        whole = (tmp_path / "X.npz").read_bytes()
        rng = generator(1)
        for at in rng.integers(0, len(whole), 25):
            flipped = bytearray(whole)
            flipped[at] ^= 1 << int(rng.integers(8))
            for content in (whole[:at], bytes(flipped)):
                (tmp_path / "X.npz").write_bytes(content)
                code, _, err = train(data=tmp_path / "X.npz")
                assert code in (0, 1)
                assert err.count("\n") == code or "warning" in err

    def test_kinds(self, train, run, model, tmp_path):
        np.save(tmp_path / "X.npy", np.ones((4, 5, 5)))
        (tmp_path / "array.npz").write_bytes((tmp_path / "X.npy").read_bytes())
        (tmp_path / "pickle.npz").write_bytes(pickle.dumps({"X": 1}))
        with zipfile.ZipFile(tmp_path / "text.npz", "w") as archive:
            archive.writestr("X", "text")
        for name in ("array", "pickle", "text"):
            code, _, err = train(data=tmp_path / f"{name}.npz")
            assert (code, err.count("\n")) == (1, 1)
        for words in ([tmp_path / "X.npy"], [tmp_path / "array.npz", tmp_path / "x.png"]):
            code, _, err = run("predict", model, *words)
            assert (code, "DATA must be image files or one .npz file, got " in err) == (1, True)


class TestOutput:
    def test_a_model_is_replaced_by_force_alone(self, run, tmp_path):
        path = tmp_path / "model"
        path.write_text("another's")
        words = ("train", "digits", "--epochs", 2, "--output", path)
        code, out, err = run(*words)
        assert (code, out) == (1, "")
        message = f"--output: {path} exists; --force replaces it, --output NAME keeps it."
        assert err == f"cnnkit: error: {message}\n"
        assert path.read_text() == "another's"
        assert run(*words[:2], "--epochs", 1, *words[4:], "--force")[0] == 0
        assert load(path).n_iter_ == 1

    def test_what_cannot_be_written_is_found_before_training(self, run, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        for name, message in {
            "": "got a folder's",
            "pipe": "a device's or a pipe's",
            "a" * 300: "File name too long",
            "none/model": "does not exist",
        }.items():
            words = ("train", "digits", "--epochs", 2, "-f", "--output", tmp_path / name)
            code, out, err = run(*words)
            assert (code, out) == (1, "")
            assert message in err
