"""Instruction sets, threads and what is reported about them."""

import os
import platform
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import scipy
from oracles import normals, python
from threadpoolctl import threadpool_info, threadpool_limits

from cnnkit import (
    CNNClassifier,
    num_threads,
    set_num_threads,
    show_versions,
)
from cnnkit._native import runtime
from cnnkit._native.threads import one_blas_thread
from cnnkit.functional import conv2d


@pytest.fixture
def X():
    return normals(24, 20, 21, 4)


def test_the_best_instruction_set_is_taken_unless_one_is_forced():
    assert runtime.INSTRUCTION_SETS[0] == "portable"
    forced = os.environ.get("CNNKIT_INSTRUCTION_SET")
    assert runtime.instruction_set == (forced or runtime.INSTRUCTION_SETS[-1])


def test_instruction_sets_are_rows_of_the_table_in_its_order():
    table = Path(__file__).resolve().parents[2] / "src" / "simd" / "isa.h"
    rows = re.findall(r"#define ISA_(\w+)[ \\\n]+\d+, \d+,", table.read_text())
    assert [name for name in rows if name in runtime.INSTRUCTION_SETS] == [
        *runtime.INSTRUCTION_SETS
    ]


@pytest.mark.skipif(
    platform.system() != "Linux" or platform.machine() != "x86_64",
    reason="the flags of /proc/cpuinfo are those of x86-64 on Linux",
)
def test_instruction_sets_are_those_that_linux_finds():
    flags = set(re.search(r"^flags\s*:(.*)", Path("/proc/cpuinfo").read_text(), re.M)[1].split())
    needs = {
        "portable": set(),
        "avx2": {"avx2", "fma"},
        "avx512": {"avx512f", "avx512vl", "avx512dq", "avx512bw", "fma"},
    }
    found = tuple(name for name in needs if needs[name] <= flags)
    assert found == runtime.INSTRUCTION_SETS


@pytest.mark.parametrize("name", runtime.INSTRUCTION_SETS)
def test_an_instruction_set_can_be_forced(name):
    code = """if True:
        import numpy as np
        from cnnkit._native import runtime
        from cnnkit.functional import conv2d, conv2d_backward
        x = np.arange(2 * 5 * 6 * 3).reshape(2, 5, 6, 3) % 7
        w = np.arange(3 * 2 * 3 * 19).reshape(3, 2, 3, 19) % 5
        y = conv2d(x, w, stride=(1, 2))
        sums = [a.astype(int).sum() for a in (y, *conv2d_backward(y, x, w, stride=(1, 2)))]
        print(runtime.instruction_set, *sums)
    """
    done = python(code, CNNKIT_INSTRUCTION_SET=name)
    assert done.returncode == 0, done.stderr
    x = np.arange(2 * 5 * 6 * 3).reshape(2, 5, 6, 3) % 7
    w = np.arange(3 * 2 * 3 * 19).reshape(3, 2, 3, 19) % 5
    y, dx = np.zeros((2, 3, 3, 19), int), 0
    for i, j in np.ndindex(3, 3):
        y[:, i, j] = np.tensordot(x[:, i : i + 3, 2 * j : 2 * j + 2], w, 3)
        dx += (y[:, i, j] * w.sum((0, 1, 2))).sum()
    spread = [
        np.tensordot(x[:, i : i + 3, 2 * j : 2 * j + 2].sum((1, 2, 3)), y[:, i, j], (0, 0)).sum()
        for i, j in np.ndindex(3, 3)
    ]
    assert done.stdout.split() == [name, *map(str, (y.sum(), dx, sum(spread), y.sum()))]


@pytest.mark.parametrize("name", ["avx1024", "AVX2"])
def test_an_unknown_instruction_set_fails_clearly(name):
    done = python("import cnnkit", CNNKIT_INSTRUCTION_SET=name)
    sets = ", ".join(map(repr, runtime.INSTRUCTION_SETS))
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: CNNKIT_INSTRUCTION_SET must be one of ('portable'")
    assert sets in last
    assert last.endswith(f"got '{name}'.")


@pytest.fixture
def threads():
    yield set_num_threads
    set_num_threads(None)


def test_set_num_threads(threads):
    usual = num_threads()
    assert usual >= 1
    for n in (1, 3, 1024):
        threads(n)
        assert num_threads() == n
    threads(None)
    assert num_threads() == usual


@pytest.mark.parametrize("bad", [0, -1, 1025, 2.0, "2", True, [2]], ids=repr)
def test_bad_numbers_of_threads(bad, threads):
    threads(1)
    with pytest.raises((ValueError, TypeError), match=r"^set_num_threads: n must be an int from 1"):
        set_num_threads(bad)
    assert num_threads() == 1


def test_numpy_ints_are_ints(threads):
    threads(np.int64(1))
    assert num_threads() == 1


def test_environment_decides_the_usual_number_of_threads():
    done = python("import cnnkit; print(cnnkit.num_threads())", OMP_NUM_THREADS="1")
    assert done.stdout == "1\n"


# BLAS


def blas_threads():
    return [info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"]


@pytest.fixture
def three_blas_threads(X):
    conv2d(X, np.ones((1, 1, 4, 2)), algorithm="im2col")
    with threadpool_limits(3, user_api="blas"):
        before = blas_threads()
        assert before
        yield before


def test_blas_has_its_threads_back_afterwards(three_blas_threads):
    with one_blas_thread():
        assert set(blas_threads()) == {1}
        with one_blas_thread():
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {1}
    assert blas_threads() == three_blas_threads
    with one_blas_thread(False):
        assert blas_threads() == three_blas_threads


def test_blas_has_its_threads_back_after_an_error(three_blas_threads):
    with pytest.raises(KeyError), one_blas_thread():
        raise KeyError
    assert blas_threads() == three_blas_threads


def test_blas_has_its_threads_back_after_overlapping_users(three_blas_threads):
    first_in, second_in, first_out = (threading.Event() for _ in range(3))
    seen = []

    def second():
        first_in.wait(10)
        with one_blas_thread():
            second_in.set()
            first_out.wait(10)
            seen.extend(blas_threads())

    other = threading.Thread(target=second)
    other.start()
    with one_blas_thread():
        first_in.set()
        second_in.wait(10)
    first_out.set()
    other.join(10)
    assert set(seen) == {1}
    assert blas_threads() == three_blas_threads


def test_blas_has_its_threads_back_after_training(three_blas_threads, X):
    clf = CNNClassifier(max_iter=1, algorithm="im2col").fit(X, np.arange(24) % 3)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(clf.predict, [X] * 8))
    assert blas_threads() == three_blas_threads


@pytest.mark.parametrize("config", [None, {}, {"Build Dependencies": {"blas": {"name": "x"}}}])
def test_show_versions_without_the_name_of_the_blas(capsys, monkeypatch, config):
    monkeypatch.setattr(scipy, "show_config", lambda mode: config)
    show_versions()
    assert "BLAS: unknown, of SciPy" in capsys.readouterr().out


def test_show_versions(capsys):
    assert show_versions() is None
    lines = dict(line.strip().split(": ", 1) for line in capsys.readouterr().out.splitlines())
    packages = {"cnnkit", "numpy", "scipy", "scikit-learn", "joblib", "threadpoolctl"}
    assert lines.keys() == packages | {
        *("python", "machine", "instruction set", "BLAS", "OpenMP", "threads")
    }
    assert lines["numpy"] == np.__version__
    sets = f"{runtime.instruction_set} of {', '.join(runtime.INSTRUCTION_SETS)}"
    assert lines["instruction set"] == sets
    blas = scipy.show_config(mode="dicts")["Build Dependencies"]["blas"]
    assert lines["BLAS"].startswith(f"{blas['name']} {blas['version']}, of SciPy")
    assert lines["OpenMP"].startswith("not used")
    assert lines["threads"] == str(num_threads())
