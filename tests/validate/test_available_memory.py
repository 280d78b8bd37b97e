"""A network that memory cannot hold is refused before it starts, with its size."""

import time

import numpy as np
import pytest
from estimator_data import small
from oracles import python

from cnnkit import Conv, Dense, Dropout, Flatten, GlobalAvgPool, MaxPool, Network, Sequential
from cnnkit.validate import available_memory

IMAGES = np.linspace(0, 1, 4 * 64 * 64 * 3, dtype=np.float32).reshape(4, 64, 64, 3)
LABELS = [0, 1, 0, 1]
WIDE = [Flatten(), Dense(100_000), Dense()]


def has(patch, memory):
    """Let `memory` say how many bytes there are."""
    patch.setattr(available_memory, "available_memory", memory)


@pytest.fixture
def gigabyte(monkeypatch):
    has(monkeypatch, lambda: 1 << 30)


def needed(network, most):
    """The bytes without which a network for inference is refused, by trial, to 16 kB."""
    for size in range(0, most, 1 << 14):
        with pytest.MonkeyPatch.context() as patch:
            has(patch, lambda size=size: size)
            try:
                network.resized(1)
                return size
            except MemoryError:
                pass
    raise AssertionError(f"more than {most} bytes")


@pytest.mark.parametrize(
    ("options", "vectors"),
    [
        ({}, 5),
        ({"solver": "sgd"}, 4),
        (
            {
                "ema_decay": 0.9,
                "early_stopping": True,
                "validation_fraction": 0.5,
                "on_divergence": "stop",
            },
            9,
        ),
        ({"solver": "lbfgs"}, 63),
    ],
)
def test_a_fit_larger_than_memory(gigabyte, options, vectors):
    began = time.perf_counter()
    weights = 12_288 * 100_000 + 100_000 + 2 * 100_000 + 2
    with pytest.raises(MemoryError, match="Network: memory must hold") as caught:
        small(WIDE, **options).fit(IMAGES, LABELS)
    assert f"{4 * vectors * weights / 1e9:,.1f} GB of {vectors} times the w" in str(caught.value)
    assert str(caught.value).endswith("got 1.1 GB available.")
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    ("options", "vectors", "copied"),
    [({}, 8, 4), ({"solver": "sgd"}, 6, 3), ({"ema_decay": 0.9, "early_stopping": True}, 10, 5)],
)
def test_a_partial_fit_larger_than_memory(monkeypatch, options, vectors, copied):
    """It keeps all that changes as it was, and one more of the weights to predict with."""
    monkeypatch.setattr(available_memory, "ASK", 0)
    clf = small([Flatten(), Dense(500), Dense()], random_state=0, **options)
    weights = 12_288 * 500 + 500 + 2 * 500 + 2
    for count in (vectors, copied):
        monkeypatch.setattr(
            available_memory, "available_memory", lambda n=count: 4 * weights * n - 1
        )
        with pytest.raises(MemoryError, match=f"{4 * count * weights / 1e9:,.1f} GB of {count} "):
            clf.partial_fit(IMAGES, LABELS, classes=[0, 1])
        monkeypatch.setattr(
            available_memory, "available_memory", lambda n=count: 4 * weights * n + 2**23
        )
        clf.partial_fit(IMAGES, LABELS, classes=[0, 1])
    assert clf.n_iter_ == 2


def test_packed_weights_larger_than_memory(monkeypatch):
    graph = Sequential([Conv(64), Conv(64), GlobalAvgPool(), Dense()])
    network = Network(graph, (12, 12, 3), 2, algorithm="direct")
    monkeypatch.setattr(available_memory, "ASK", 0)
    monkeypatch.setattr(
        available_memory, "available_memory", lambda: needed(network, 1 << 22) + (1 << 16)
    )
    network.resized(1)
    with pytest.raises(MemoryError, match=r"must hold .* of activations .* GB of packed weights"):
        network.resized(1, packed=True)


@pytest.mark.parametrize("layer", [Dropout(), MaxPool(1)], ids=str)
def test_what_layers_keep_larger_than_memory(gigabyte, layer):
    """Masks, and places of the largest pixels."""
    graph = Sequential([Conv(64, 1), *[layer] * 40, GlobalAvgPool()])
    options = {"training": True, "rng": np.random.default_rng(0)}
    Network(graph, (64, 64, 1), 2, **options)
    with pytest.raises(MemoryError, match=r"2\.7 GB of what layers keep, .* of scratch, got 1\.1"):
        Network(graph, (512, 512, 1), 2, **options)


def test_a_batch_larger_than_memory(gigabyte):
    graph = Sequential([Conv(64), GlobalAvgPool(), Dense()])
    Network(graph, (64, 64, 3), 2, batch_size=100)
    with pytest.raises(MemoryError, match=r"11\.[0-9] GB of activations of batch_size=10000"):
        Network(graph, (64, 64, 3), 2, batch_size=10_000)
    small_one = Network(graph, (64, 64, 3), 2)
    with pytest.raises(MemoryError, match="of activations of batch_size=10000, "):
        small_one.resized(10_000)


def test_an_estimator_is_left_as_it_was(gigabyte):
    clf = small(max_iter=1).fit(IMAGES, LABELS)
    before = clf.predict_proba(IMAGES)
    with pytest.raises(MemoryError):
        clf.set_params(layers=WIDE).fit(IMAGES, LABELS)
    np.testing.assert_array_equal(clf.predict_proba(IMAGES), before)


def test_what_is_available_is_known():
    found = available_memory.available_memory()
    assert found is None or 1 << 24 < found < 1 << 50


def test_the_limit_of_a_process_counts():
    code = """if True:
        import resource
        from cnnkit import Dense, Flatten, Network, Sequential
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
        try:
            Network(Sequential([Flatten(), Dense(50_000), Dense()]), (64, 64, 3), 2, training=True)
        except MemoryError as error:
            print(error)
    """
    pytest.importorskip("resource")
    found = python(code).stdout
    assert "4.9 GB of 2 times the weights, got " in found


def container(monkeypatch, folder, own, groups):
    """Make control groups of files: by folder, the text of each file."""
    (folder / "own").write_text(own)
    for name, files in groups.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / name / file).write_text(text)
    monkeypatch.setattr(available_memory, "OWN", folder / "own")
    monkeypatch.setattr(available_memory, "GROUPS", folder)


def group(limit, used, stat=""):
    return {"memory.max": f"{limit}\n", "memory.current": f"{used}\n", "memory.stat": stat}


def group_of_version_1(limit, used, stat=""):
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat")
    return dict(zip(names, group(limit, used, stat).values(), strict=True))


STAT = "anon 1200\nfile 2600\ninactive_file 700\nactive_file 100\nunevictable 0\n"
STAT_1 = "cache 9\nactive_file 9\ntotal_cache 990\ntotal_inactive_file 700\ntotal_active_file 100\n"


@pytest.mark.parametrize(
    ("own", "groups", "size"),
    [
        ("0::/\n", {".": group("max", 3000)}, None),
        ("0::/\n", {".": group(5000, 3000)}, 2000),
        ("0::/\n", {".": group(1000, 3000)}, 0),
        ("0::/\n", {".": group(5000, 3000, STAT)}, 2800),
        ("0::/\n", {".": group(5000, 300, STAT)}, 5000),
        # of its own group, or of one around it; others do not count
        ("0::/a/b\n", {"a": group(9000, 6000), "a/b": group(5000, 3000)}, 2000),
        ("0::/a/b\n", {"a": group(9000, 8000), "a/b": group(5000, 3000)}, 1000),
        ("0::/a/b\n", {"a": group(9000, 8000, STAT), "a/b": group("max", 3000)}, 1800),
        ("0::/a\n", {"a/b": group(5000, 3000), "c": group(5000, 3000)}, None),
        # in a container its own group is the root
        ("0::/docker/1\n", {".": group(5000, 3000)}, 2000),
        ("3:cpu,cpuacct:/\n2:memory:/\n0::/\n", {"memory": group_of_version_1(5000, 3000)}, 2000),
        ("2:hugetlb,memory:/a\n", {"memory/a": group_of_version_1(5000, 3000, STAT_1)}, 2800),
        ("2:memory:/a\n", {"memory": group_of_version_1(5000, 3000, STAT_1)}, 2800),
        ("2:cpu:/a\n", {"memory/a": group_of_version_1(5000, 3000)}, None),
    ],
)
def test_the_limit_of_a_container_counts(monkeypatch, tmp_path, own, groups, size):
    container(monkeypatch, tmp_path, own, groups)
    assert available_memory._of_container() == size
    monkeypatch.setattr(available_memory, "_of_system", lambda: 10**9)
    monkeypatch.setattr(available_memory, "_of_process", lambda: None)
    assert available_memory.available_memory() == (10**9 if size is None else size)


def test_where_there_are_no_control_groups(monkeypatch, tmp_path):
    monkeypatch.setattr(available_memory, "OWN", tmp_path / "none")
    assert available_memory._of_container() is None
    container(monkeypatch, tmp_path, "0::/", {".": group(5000, 3000)})
    (tmp_path / "memory.stat").unlink()
    assert available_memory._of_container() == 2000
