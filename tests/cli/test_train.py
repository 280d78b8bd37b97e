"""The command `train`."""

import csv
import io
import os
import pty
import re
import subprocess
import sys

import numpy as np
import pytest
from commands import command
from seeded import generator
from sklearn.datasets import load_digits

from cnnkit import CNNClassifier, load
from cnnkit.schedules import OneCycle


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

    def test_scoring(self, run, tmp_path):
        words = ("--epochs", 3, "--early-stopping", "--output", tmp_path / "model")
        data = self.few_digits(tmp_path)
        code, out, _ = run("train", data, *words, "--scoring", "neg_log_loss")
        clf = load(tmp_path / "model")
        assert code == 0
        told = [float(text) for text in re.findall(r"validation neg_log_loss (-?\d\S+)", out)]
        assert told == pytest.approx(clf.validation_scores_, abs=1e-4)
        kept = f"validation neg_log_loss of the weights kept: {clf.best_validation_score_:.4f}"
        assert kept in out.splitlines()
        code, _, err = run("train", data, *words, "--scoring", "good", "--force")
        assert (code, "scoring must be the name of a scorer" in err) == (1, True)
        words = ("--scoring", "f1_macro", "--validation-fraction", 0)
        code, _, err = run("train", data, *words, "--output", tmp_path / "other")
        assert (code, "--scoring: needs a --validation-fraction" in err) == (2, True)

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
