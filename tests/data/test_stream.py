"""Batches that users make, as arrays that are read in order."""

import numpy as np
import pytest

from cnnkit.data.stream import Stream, StreamTargets, makes_batches

X = np.random.default_rng(0).random((90, 4, 3))
Y = np.arange(90)


def batches(size=16, end=90):
    """Return a callable that makes batches of the samples, the last of which may be smaller."""
    return lambda: (
        (X[k : min(k + size, end)], Y[k : min(k + size, end)]) for k in range(0, end, size)
    )


@pytest.mark.parametrize("size", [1, 7, 16, 90])
@pytest.mark.parametrize("asked", [1, 10, 90])
def test_rows_of_every_epoch_are_the_samples(size, asked):
    stream = Stream(batches(size), None, "Fit")
    targets = StreamTargets(stream, lambda y: 2 * y, 2 * Y)
    assert (stream.shape, len(targets), stream.size) == ((90, 4, 3), 90, size)
    for _ in range(2):
        for k in range(0, 90, asked):
            rows = np.arange(k, k + asked)
            np.testing.assert_array_equal(targets[rows], 2 * Y[rows])
            for part in np.array_split(rows, 3) if asked > 3 else [rows]:
                np.testing.assert_array_equal(stream[part], X[part])
    for rows in (slice(0, 5), slice(3, 60), np.arange(0, 90, 7), slice(0, 0), slice(0, 90)):
        np.testing.assert_array_equal(stream[rows], X[rows])
    np.testing.assert_array_equal(stream.y, Y)


def test_images_and_targets_of_random_batches_belong_together():
    rng = np.random.default_rng(1)

    def endless():
        while True:
            rows = rng.integers(0, 90, 8)
            yield X[rows], rows

    stream = Stream(endless, 5, "Fit")
    targets = StreamTargets(stream, lambda y: y, stream.y)
    seen = []
    for _ in range(3):
        for k in range(0, 40, 10):
            rows = np.arange(k, k + 10)
            found = targets[rows]
            np.testing.assert_array_equal(stream[rows], X[found])
            seen.append(found)
    assert len({tuple(part) for part in seen}) == 12  # new ones in every epoch


def test_an_epoch_has_as_many_samples_as_the_first():
    sizes = iter([20, 10, 5, 40])

    def shrinking():
        size = next(sizes)
        return iter([(X[:size], Y[:size])])

    stream = Stream(shrinking, None, "Fit")
    assert len(stream) == 20
    found = stream[np.arange(20)]  # of three iterators
    np.testing.assert_array_equal(found[:15], np.concatenate([X[:10], X[:5]]))


def test_what_makes_batches():
    assert makes_batches(batches())
    assert makes_batches(iter([]))
    assert makes_batches(range(3))
    for other in (X, [X], (X, Y), "text", b"bytes", {"a": 1}, None, 3, np.float64(2)):
        assert not makes_batches(other)


@pytest.mark.parametrize(
    ("source", "steps", "said"),
    [
        (lambda: 3, None, "X must be a callable that returns an iterator of batches .* gives 3"),
        (lambda: iter([]), None, "X must give at least one batch, got none"),
        (batches(), 7, "steps_per_epoch must be at most the batches that X gives, 6, got 7"),
        (lambda: iter([(X,)]), None, r"batches of X must be pairs \(images, y\), got tuple"),
        (lambda: iter([X]), None, "batches of X must be pairs"),
        (lambda: iter([(X, Y[:3])]), None, r"got shapes \(90, 4, 3\) and \(3,\) in batch 0"),
        (lambda: iter([(X[:0], Y[:0])]), None, "at least one, got shapes"),
        (lambda: iter([(X, Y), (X[:, 1:], Y)]), None, r"images of shape \(4, 3\) .* in batch 1"),
        (lambda: iter([(X, Y), (X.astype("f4"), Y)]), None, "dtype float64 .* got float32"),
        (lambda: iter([(X * np.inf, Y)]), None, "X must be finite in float64"),
    ],
)
def test_wrong_batches_are_named(source, steps, said):
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=f"^Fit: .*{said}"):
        Stream(source, steps, "Fit")


def test_an_iterator_that_is_used_up_is_named():
    stream = Stream(iter([(X, Y)]), None, "Fit")
    with pytest.raises(ValueError, match="give a callable that makes a new iterator"):
        stream[np.arange(5)]
