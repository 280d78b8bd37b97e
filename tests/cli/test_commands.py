"""All commands together: help, usage and failures."""

import re
import sys
import time

import numpy as np
import pytest
from commands import command


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

    def test_of_an_onnx_file(self, run, tmp_path):
        pytest.importorskip("onnx")
        from cnnkit import Network, models, onnx

        path, shape = tmp_path / "lenet5.onnx", (28, 28, 1)
        graph = models.lenet5(10, shape)
        onnx.write(Network(graph, shape, None), path)
        code, out, err = run("summary", path, "--image-shape", "28x28")
        assert (code, err) == (0, "")
        assert "61,706" in out
        assert run("summary", path)[1] == out
        code, out, err = run("summary", path, "--classes", 3)
        assert (code, out) == (2, "")
        assert "--classes: needs a named network" in err


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
