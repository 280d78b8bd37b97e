"""The command line."""

import csv
import io
import os
import pty
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from seeded import generator
from sklearn.datasets import load_digits

from cnnkit import CNNClassifier, CNNFeatures, CNNRegressor, load, save
from cnnkit.cli.progress import Progress, duration
from cnnkit.schedules import OneCycle


def command(*words, cwd=None):
    """Run ``python -m cnnkit`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "cnnkit", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )


@pytest.fixture(scope="module")
def digits_file(tmp_path_factory):
    """A model of the digits, trained by the command."""
    path = tmp_path_factory.mktemp("cli") / "digits.safetensors"
    words = ("train", "digits", "--epochs", 4, "--learning-rate", 0.01, "--output", path)
    done = command(*words)
    assert (done.returncode, done.stderr) == (0, "")
    return path, done.stdout


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of images by class: left halves bright, or right halves."""
    image = pytest.importorskip("PIL.Image")
    root, rng = tmp_path_factory.mktemp("photos"), generator(0)
    for name, half in (("left", np.s_[:, :5]), ("right", np.s_[:, 5:])):
        (root / name / "more").mkdir(parents=True)
        for k in range(12):
            pixels = rng.integers(0, 80, (8, 10, 3), np.uint8)
            pixels[half] += 150
            where = root / name / ("more" if k % 2 else "")
            image.fromarray(pixels).save(where / f"{k}.png")
        (root / name / "notes.txt").write_text("no image")
    return root


class TestTrain:
    def test_plain_lines_in_a_pipe(self, digits_file):
        lines = digits_file[1].splitlines()
        assert lines[0] == "1617 images of 8x8x1 in 10 classes, 180 more to validate"
        assert lines[1] == "4 epochs in batches of 32, OneCycle() of 0.01, alpha 0.01"
        for epoch, line in enumerate(lines[2:6], 1):
            pattern = rf"epoch {epoch}/4  loss \d+\.\d{{4}}  validation accuracy 0\.\d{{4}}"
            assert re.fullmatch(pattern, line)
        weights = load(digits_file[0]).summary().weights
        assert lines[6].startswith(f"{weights:,} weights trained in ")
        assert lines[7] == f"model: {digits_file[0]}"
        assert len(lines) == 8

    @pytest.mark.parametrize("said", [False, True])
    def test_what_is_left_out_is_as_in_the_estimator(self, run, tmp_path, said):
        words = ["--output", tmp_path / "model", "--solver", "adamw"]
        for option in ("--epochs", "--batch-size", "--learning-rate", "--schedule"):
            words += [option, "auto"] if said else []
        code, out, err = run("train", self.few_digits(tmp_path), *words)
        clf = load(tmp_path / "model")
        assert (code, err) == (0, "")
        assert clf.get_params() == CNNClassifier(random_state=0).get_params()
        told = re.findall(r"^epoch (\d+)/(\d+) ", out, re.M)
        assert told == [(str(n), str(clf.n_iter_)) for n in range(1, clf.n_iter_ + 1)]
        epochs = re.match(r"90 images .*\n(\d+) epochs in batches of \d+, OneCycle\(\) of 0\.", out)
        assert int(epochs[1]) == clf.n_iter_ > 10

    def test_the_width_of_the_default_network(self, run, tmp_path):
        words = ("--epochs", 1, "--output", tmp_path / "model")
        counts = []
        for more in ([], ["--width", 1], ["--model", "default", "--width", 0.5]):
            assert run("train", self.few_digits(tmp_path), *words, *more, "--force")[0] == 0
            counts.append(load(tmp_path / "model").summary().weights)
        assert counts[0] == counts[1] > 3 * counts[2]

    def test_a_warning_is_one_line(self, tmp_path):
        images = generator(0).random((40, 8, 8))
        images[::4] = 0
        np.savez(tmp_path / "data.npz", X=images, y=[0, 1] * 20)
        words = ("--epochs", 1, "--output", tmp_path / "model", "--validation-fraction", 0)
        done = command("train", tmp_path / "data.npz", *words)
        assert done.returncode == 0
        assert done.stderr.startswith("cnnkit: warning: CNNClassifier: 25% of the images in X are")
        assert done.stderr.count("\n") == 1

    def test_one_line_on_a_terminal(self, tmp_path):
        words = ["train", "digits", "--epochs", "3", "--output", str(tmp_path / "model")]
        parent, child = pty.openpty()
        process = subprocess.Popen([sys.executable, "-P", "-m", "cnnkit", *words], stdout=child)
        os.close(child)
        shown = b""
        while True:
            try:
                part = os.read(parent, 10_000)
            except OSError:  # how Linux says that the other end is closed
                break
            if not part:
                break
            shown += part
        os.close(parent)
        assert process.wait() == 0
        bar = next(line for line in shown.decode().split("\n") if "epoch 1" in line)
        assert bar.count("\repoch ") == 3
        assert "[####################] loss" in bar
        assert " left" in bar

    def test_a_folder_of_images(self, run, photos, tmp_path):
        path = tmp_path / "model.safetensors"
        words = ("--epochs", 12, "--learning-rate", 0.01, "--output", path, "--seed", 1)
        code, out, err = run("train", photos, *words)
        assert (code, err) == (0, "")
        assert out.startswith("22 images of 8x10x3 in 2 classes, 2 more to validate\n")
        clf = load(path)
        assert clf.classes_.tolist() == ["left", "right"]
        assert clf.random_state == 1
        files = [photos / "left" / "0.png", photos / "right"]
        code, out, err = run("predict", path, *files)
        rows = list(csv.DictReader(io.StringIO(out)))
        assert [row["class"] for row in rows] == ["left"] + ["right"] * 12
        assert rows[0]["name"] == str(files[0])
        assert (code, err) == (0, "")

    def test_sizes_and_named_networks(self, run, photos, tmp_path):
        path = tmp_path / "model"
        words = ("--size", "16x12", "--model", "lenet5", "--width", 0.5, "--epochs", 1)
        code, out, _ = run("train", photos, *words, "--output", path, "--validation-fraction", 0)
        assert code == 0
        assert out.startswith(
            "24 images of 16x12x3 in 2 classes, 0 more to validate\n1 epoch in batches of 8, One"
        )
        assert load(path).network_.graph.layers[0][0] == "conv1"
        code, out, _ = run("predict", path, photos / "left", "--proba")
        assert out.splitlines()[0] == "name,class,probability,left,right"
        assert len(out.splitlines()) == 13

    @pytest.mark.parametrize("flat", [False, True])
    def test_arrays(self, run, tmp_path, flat):
        rng = generator(0)
        X, y = rng.random((40, 4, 5, 2)), np.repeat(["a", "b"], 20)
        X[y == "b", :2] += 1
        X = X.reshape(40, -1) if flat else X
        np.savez(tmp_path / "data.npz", X=X, y=y)
        shape = ["--image-shape", "4x5x2"] if flat else []
        words = [*shape, "--epochs", 3, "--output", tmp_path / "model", "--solver", "sgd"]
        assert run("train", tmp_path / "data.npz", *words)[0] == 0
        code, out, err = run("predict", tmp_path / "model", tmp_path / "data.npz")
        assert code == 0
        assert re.fullmatch(r"accuracy \d\.\d{4} \(\d+ of 40\)\n", err)
        np.savez(tmp_path / "more.npz", X=X)
        assert run("predict", tmp_path / "model", tmp_path / "more.npz") == (0, out, "")

    def test_grey_images(self, run, tmp_path):
        image = pytest.importorskip("PIL.Image")
        for name in "ab":
            (tmp_path / "data" / name).mkdir(parents=True)
            for k in range(3):
                pixels = np.arange(36, dtype=np.uint8).reshape(6, 6) + 60 * k
                image.fromarray(pixels).save(tmp_path / "data" / name / f"{k}.png")
        words = ("--epochs", 1, "--output", tmp_path / "model")
        code, out, _ = run("train", tmp_path / "data", *words)
        assert (code, out.splitlines()[0][:20]) == (0, "5 images of 6x6x1 in")
        image.fromarray(np.zeros((9, 5, 3), np.uint8)).save(tmp_path / "colour.jpg")
        assert run("predict", tmp_path / "model", tmp_path / "colour.jpg")[0] == 0

    def test_schedules_and_early_stopping(self, run, tmp_path):
        words = ("--epochs", 40, "--learning-rate", 0.05, "--schedule", "one-cycle")
        words += ("--early-stopping", "--output", tmp_path / "model")
        code, out, _ = run("train", self.few_digits(tmp_path), *words)
        clf = load(tmp_path / "model")
        assert code == 0
        assert out.splitlines()[-3] == (
            f"validation accuracy of the weights kept: {clf.best_validation_score_:.4f}"
        )
        assert len(re.findall("^epoch ", out, re.M)) == clf.n_iter_ <= 40
        assert (clf.learning_rate, clf.early_stopping) == (OneCycle(), True)
        assert clf.learning_rate_init == 0.05

    def few_digits(self, tmp_path):
        X, y = load_digits(return_X_y=True)
        np.savez(tmp_path / "digits.npz", X=X[:100].reshape(100, 8, 8) / 16, y=y[:100])
        return tmp_path / "digits.npz"

    def test_training_ends_once_the_loss_has_stopped_falling(self, run, tmp_path):
        """Unless the schedule has an end."""
        X, y = generator(0).random((20, 4, 4)), np.array([0, 1] * 10)
        X[y == 1, :2] += 5
        np.savez(tmp_path / "plain.npz", X=X, y=y)
        words = ("--epochs", 150, "--learning-rate", 0.01, "-f", "--output", tmp_path / "model")
        for schedule in ("constant", "auto"):
            words = (*words, "--schedule", schedule)
            assert run("train", tmp_path / "plain.npz", *words)[0] == 0
            assert (load(tmp_path / "model").n_iter_ < 150) == (schedule == "constant")

    def test_a_class_of_one_image_is_trained_on(self, run, tmp_path):
        np.savez(tmp_path / "few.npz", X=generator(0).random((9, 4, 4)), y=[*"aaaabbbbc"])
        words = ("-f", "--epochs", 1, "--output", tmp_path / "model", "--validation-fraction")
        for seed in range(5):
            assert run("train", tmp_path / "few.npz", *words, 0.4, "--seed", seed)[0] == 0
            assert load(tmp_path / "model").classes_.tolist() == [*"abc"]
        code, _, err = run("train", tmp_path / "few.npz", *words, 0.9)
        assert code == 1
        assert (
            "--validation-fraction must leave an image of every class to train on, got 0.9" in err
        )


class TestPredict:
    @pytest.mark.parametrize("several", [False, True])
    def test_a_regressor(self, run, tmp_path, several):
        rng = generator(0)
        X, y = rng.random((12, 4, 5, 2)), rng.random((12, 2) if several else 12)
        reg = CNNRegressor(max_iter=1, random_state=0).fit(X, y)
        save(reg, tmp_path / "model")
        np.savez(tmp_path / "data.npz", X=X, y=y)
        code, out, err = run("predict", tmp_path / "model", tmp_path / "data.npz")
        header, *rows = csv.reader(io.StringIO(out))
        assert (code, err) == (0, f"R2 {reg.score(X, y):.4f}\n")
        assert header == (["name", "value 0", "value 1"] if several else ["name", "value"])
        found = np.array([row[1:] for row in rows], float)
        np.testing.assert_allclose(found, reg.predict(X).reshape(12, -1), rtol=1e-5)
        code, _, err = run("predict", tmp_path / "model", tmp_path / "data.npz", "--proba")
        assert code == 2
        assert "--proba: needs a classifier" in err
        assert run("summary", tmp_path / "model")[1].startswith("CNNRegressor for images of 4x5x2")

    def test_several_labels(self, run, tmp_path):
        rng = generator(0)
        X, y = rng.random((12, 4, 5)), rng.integers(0, 2, (12, 3))
        clf = CNNClassifier(max_iter=1, random_state=0).fit(X, y)
        save(clf, tmp_path / "model")
        np.savez(tmp_path / "data.npz", X=X, y=y)
        code, out, err = run("predict", tmp_path / "model", tmp_path / "data.npz")
        header, *rows = csv.reader(io.StringIO(out))
        assert (code, header, len(rows)) == (0, ["name", "0", "1", "2"], 12)
        right = int((clf.predict(X) == y).all(axis=1).sum())
        assert err == f"accuracy {right / 12:.4f} ({right} of 12)\n"
        assert "labels: 0, 1, 2" in run("summary", tmp_path / "model")[1]

    def test_features(self, run, tmp_path):
        X = generator(0).random((12, 4, 5))
        features = CNNFeatures(CNNClassifier(max_iter=1)).fit(X, [0, 1] * 6)
        save(features, tmp_path / "model")
        np.savez(tmp_path / "data.npz", X=X)
        code, _, err = run("predict", tmp_path / "model", tmp_path / "data.npz")
        assert (code, "needs a classifier or a regressor, got CNNFeatures" in err) == (1, True)
        code, out, _ = run("summary", tmp_path / "model")
        assert out.startswith(
            "CNNFeatures for images of 4x5x1\nfeatures: globalavgpool1\nclasses: 0, 1\n"
        )

    def test_digits(self, digits_file):
        done = command("predict", digits_file[0], "digits")
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        assert done.returncode == 0
        assert len(rows) == 1797
        accuracy = float(re.match(r"accuracy (\d\.\d+) ", done.stderr)[1])
        assert accuracy > 0.6
        assert 0 < float(rows[0]["probability"]) <= 1

    def test_a_reader_that_has_enough(self, digits_file):
        code = f"{sys.executable} -P -m cnnkit predict {digits_file[0]} digits | head -2"
        done = subprocess.run(code, shell=True, capture_output=True, text=True, check=False)
        assert done.stdout.splitlines()[0] == "name,class,probability"
        assert "Traceback" not in done.stderr
        assert "Broken pipe" not in done.stderr


class TestSummary:
    def test_of_a_file(self, run, digits_file):
        code, out, err = run("summary", digits_file[0])
        assert (code, err) == (0, "")
        assert out.startswith("CNNClassifier for images of 8x8x1\nclasses: 0, 1, 2, 3")
        assert "total" in out

    def test_of_a_name(self, run):
        code, out, _ = run("summary", "resnet18")
        assert code == 0
        assert "11,699,112" in out
        code, out, _ = run("summary", "lenet5", "--image-shape", "28x28", "--classes", 10)
        assert "61,706" in out


class TestBenchAndVersions:
    def test_bench(self, run):
        from cnnkit import num_threads

        before = num_threads()
        code, out, err = run("bench", "--quick", "--threads", 1)
        assert (code, err) == (0, "")
        assert out.startswith("1 threads, ")
        assert len(re.findall(r" \d+\.\d\d ms\n", out)) == 2
        assert num_threads() == before

    def test_versions(self, run):
        code, out, _ = run("versions")
        assert code == 0
        assert "scikit-learn" in out


class TestUsage:
    @pytest.mark.parametrize("words", [[], ["train"], ["predict"], ["summary"], ["bench"]], ids=str)
    def test_help_has_examples(self, run, words):
        code, out, _ = run(*words, "--help")
        assert code == 0
        assert "python -m cnnkit" in out.split("usage:")[1].split("\n", 1)[1]

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ([], "the following arguments are required: COMMAND"),
            (["fly"], "invalid choice: 'fly'"),
            (["train"], "required: DATA"),
            (["train", "digits", "--epochs", "0"], "must be auto or a positive int, got '0'"),
            (
                ["train", "digits", "--learning-rate", "nan"],
                "must be auto or a positive float, got 'nan'",
            ),
            (["train", "digits", "--validation-fraction", "1"], "must be at least 0 and below 1"),
            (["train", "digits", "--model", "resnet19"], "invalid choice: 'resnet19'"),
            (["train", "digits", "--size", "8"], "must be sizes such as 64x64"),
            (["train", "digits", "--size", "8x8"], "--size: needs a folder of image files"),
            (["train", "digits", "--schedule", "steps"], "invalid choice: 'steps'"),
            (
                ["train", "digits", "--early-stopping", "--validation-fraction", "0"],
                "--early-stopping: needs a --validation-fraction above 0",
            ),
            (["train", "digits", "--width", "auto"], "must be a positive float, got 'auto'"),
            (["train", "digits", "--model", "find"], "invalid choice: 'find'"),
            (["train", "digits", "--image-shape", "8x8"], "--image-shape: needs an .npz file"),
            (["summary", "x.safetensors", "--classes", "3"], "--classes: needs a named network"),
        ],
        ids=str,
    )
    def test_what_is_not_understood(self, run, words, message):
        code, out, err = run(*words)
        assert (code, out) == (2, "")
        assert message in err

    def test_exit_codes_of_the_process(self, tmp_path):
        assert command("fly").returncode == 2
        done = command("predict", tmp_path / "none", "digits")
        assert done.returncode == 1
        assert done.stderr.startswith("cnnkit: error: ")
        assert "Traceback" not in done.stderr


class TestFailures:
    def failure(self, run, *words):
        code, _, err = run(*words)
        assert code == 1
        assert err.startswith("cnnkit: error: ")
        return err

    def test_what_cannot_be_read(self, run, tmp_path, digits_file):
        (tmp_path / "x.npz").write_text("no zip")
        (tmp_path / "y.npz").write_bytes(b"PK\x03\x04" + b"0" * 50)
        np.savez(tmp_path / "z.npz", y=[1, 2])
        np.savez(tmp_path / "objects.npz", X=np.array([{}, None]), y=[1, 2])
        np.savez(tmp_path / "lengths.npz", X=np.ones((3, 2, 2)), y=[1, 2])
        for name, message in {
            "x.npz": "cannot be read as .npz without pickle",
            "y.npz": "cannot be read as .npz without pickle",
            "objects.npz": "cannot be read as .npz without pickle",
            "z.npz": "must hold an array X, got ['y']",
            "lengths.npz": "y must be one class for each of 3 images, got (2,)",
            "none": "must be 'digits', an .npz file or a folder, and does not exist",
            "none.npz": "must be 'digits', an .npz file or a folder, and does not exist",
        }.items():
            assert message in self.failure(run, "train", tmp_path / name)
        assert "must hold arrays X and y" in self.failure(
            run, "train", self.only_x(tmp_path / "x_only.npz")
        )
        assert "must be a safetensors file" in self.failure(run, "summary", tmp_path / "x.npz")
        assert "got none" in self.failure(run, "predict", digits_file[0], self.empty(tmp_path))

    def only_x(self, path):
        np.savez(path, X=np.ones((3, 2, 2)))
        return path

    def empty(self, tmp_path):
        (tmp_path / "empty").mkdir()
        return tmp_path / "empty"

    def test_folders_without_images(self, run, tmp_path, photos):
        assert "at least two classes, got 0 folders" in self.failure(run, "train", tmp_path)
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
        assert "got none in a, b" in self.failure(run, "train", tmp_path)

    def test_images_of_two_sizes(self, run, tmp_path):
        image = pytest.importorskip("PIL.Image")
        for k, name in enumerate("ab"):
            (tmp_path / name).mkdir()
            image.new("RGB", (4 + k, 6)).save(tmp_path / name / "1.png")
        err = self.failure(run, "train", tmp_path)
        assert "images must be of one size" in err
        assert "has 6x4" in err
        assert "--size 64x64" in err

    def test_an_output_without_a_folder_is_found_before_training(self, run, tmp_path):
        start = time.monotonic()
        err = self.failure(run, "train", "digits", "--epochs", 10**6, "--output", tmp_path / "a/b")
        assert "does not exist" in err
        assert time.monotonic() - start < 5

    def test_without_pillow(self, run, photos, monkeypatch):
        monkeypatch.setitem(sys.modules, "PIL", None)
        assert "pip install cnnkit[image]" in self.failure(run, "train", photos)

    def test_interrupted(self, run, monkeypatch):
        def interrupt(options):
            raise KeyboardInterrupt

        monkeypatch.setattr("cnnkit.cli._versions", interrupt)
        assert run("versions") == (130, "", "\ncnnkit: interrupted\n")


class Terminal(io.StringIO):
    def isatty(self):
        return True


class TestProgress:
    def test_a_shorter_line_covers_a_longer_one(self):
        stream = Terminal()
        progress = Progress(2, "epoch", stream)
        progress.step(1, "something long")
        progress.step(2, "short")
        progress.close()
        first, second = stream.getvalue().strip("\r\n").split("\r")
        assert len(second) == len(first)
        assert stream.getvalue().endswith("\n")

    def test_nothing_to_end(self):
        stream = Terminal()
        Progress(2, "epoch", stream).close()
        assert stream.getvalue() == ""

    @pytest.mark.parametrize(
        ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
    )
    def test_durations(self, seconds, text):
        assert duration(seconds) == text
