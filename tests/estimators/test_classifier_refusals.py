"""What CNNClassifier refuses."""

import numpy as np
import pytest
from estimator_data import X, Y, small
from sklearn.exceptions import NotFittedError

from cnnkit import (
    Conv,
    Conv1x1,
    Dense,
    Dropout,
    Flatten,
    MaxPool,
    ReLU,
)

HEAD = [Flatten(), Dense()]


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "score"])
def test_not_fitted(method):
    with pytest.raises(NotFittedError, match=r"^This CNNClassifier instance is not fitted yet"):
        getattr(small(), method)(*((X, Y) if method == "score" else (X,)))
    with pytest.raises(NotFittedError, match=r"^This CNNClassifier instance is not fitted yet"):
        small().summary()


# Bad input


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([Conv(4, 0), *HEAD], r"Conv: kernel_size must be a positive int .*, got 0\. \(node 'conv"),
        ([Conv(4, (3, 2.5)), *HEAD], r"Conv: kernel_size must .*, got \(3, 2\.5\)"),
        ([Conv(4, stride=-1), *HEAD], r"Conv: stride must .*, got -1\. \(node 'conv1'\)"),
        ([Conv(4, padding="full"), *HEAD], "Conv: padding must .*, got 'full'"),
        ([Conv(4, padding=-2), *HEAD], "Conv: padding must .*, got -2"),
        ([Conv(4, dilation=0), *HEAD], "Conv: dilation must .*, got 0"),
        ([Conv(4), Conv(4, groups=3), *HEAD], r"Conv: groups must divide .*got 3\. \(node 'conv2'"),
        ([Conv(0), *HEAD], "Conv: filters must be a positive int, got 0"),
        (
            [Conv(4, 9, padding=0), *HEAD],
            r"Conv: kernel_size \(9, 9\) .* must fit the padded image",
        ),
        (
            [Conv(4, 3, padding=0, dilation=4), *HEAD],
            r"Conv: .* dilation \(4, 4\) must fit the pad",
        ),
        ([Conv(4, padding=2**30), *HEAD], r"Conv: padding must .* at most 2\*\*46, got 1073741824"),
        ([Conv1x1(2**30), Conv1x1(2**30), *HEAD], r"Conv1x1: filters must .* at most 2\*\*46, got"),
        (
            [Conv1x1(2**30), Flatten(), Dense(2**20)],
            r"Dense: units must .* at most 2\*\*46, got 10",
        ),
        ([MaxPool(9), *HEAD], r"MaxPool: pool_size \(9, 9\) .* must fit the padded image"),
        ([MaxPool(2, padding=2), *HEAD], "MaxPool: padding must be smaller than pool_size"),
        (
            [Dropout(1.5), *HEAD],
            r"Dropout: rate must be .* below 1, got 1\.5\. \(node 'dropout1'\)",
        ),
        ([Dense()], r"Dense: input must be flat, put Flatten\(\) or .*got shape \(8, 8, 1\)"),
        ([Flatten(), Conv(3)], r"Conv: input must be images \(H, W, C\), got shape \(64,\)"),
        (
            [Conv()],
            r"CNNClassifier: layers must end in 10 numbers, one per class, got .*\(8, 8, 10",
        ),
        ([Flatten(), Dense(9)], r"CNNClassifier: layers must end in 10 numbers, .*got .*\(9,\)"),
        ([], r"Sequential: layers must be a list of at least one layer, got \[\]"),
        (["conv"], "Graph: node 'str1' must be a layer such as .*, got 'conv'"),
        ([Conv, *HEAD], "Graph: node .* must be a layer such as .*, got <class"),
        ([ReLU(), None], "Graph: node .* must be a layer such as .*, got None"),
        ("conv", "The 'layers' parameter of CNNClassifier must be .* Got 'conv' instead"),
        (Conv(3), r"The 'layers' parameter of CNNClassifier must be .* Got Conv\(filters=3\) inst"),
    ],
    ids=str,
)
def test_bad_layers(layers, message):
    with pytest.raises((ValueError, TypeError), match=rf"^(?s:{message})"):
        small(layers).fit(X, Y)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("solver", "newton"), ("solver", None), ("alpha", -1), ("alpha", "1"), ("batch_size", 0)),
        *(("batch_size", 2.5), ("learning_rate_init", 0), ("learning_rate_init", -1)),
        *(("max_iter", 0), ("shuffle", "yes"), ("random_state", "seed"), ("tol", -1)),
        *(("n_iter_no_change", 0), ("momentum", 1.1), ("nesterovs_momentum", None)),
        *(("beta_1", 1), ("beta_2", -0.1), ("epsilon", 0), ("algorithm", "fft"), ("verbose", -1)),
        ("image_shape", 8),
    ],
)
def test_bad_parameters(name, value):
    message = rf"^The '{name}' parameter of CNNClassifier must be .* Got {value!r} instead[.:]"
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match=f"(?s){message}"):
            getattr(small(**{name: value}), method)(X, Y)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((8, 9), r"image_shape \(8, 9, 1\) must multiply to the 64 features of X, got 72"),
        ((8, 8, 3), r"image_shape \(8, 8, 3\) must multiply to the 64 features of X, got 192"),
        ((64,), r"image_shape must be \(H, W\) or \(H, W, C\), got \(64,\)"),
        ((8, 0, 8), "image_shape must be a positive int, got 0"),
        ((8, 8.0), r"image_shape must be a positive int, got 8\.0"),
        ((2**31 - 1, 2**31 - 1), r"image_shape must .* at most 2\*\*46, got"),
    ],
    ids=str,
)
def test_bad_image_shape(shape, message):
    with pytest.raises((ValueError, TypeError), match=f"^CNNClassifier: {message}"):
        small(image_shape=shape).fit(X.reshape(120, 64), Y)


def test_image_shape_of_other_images():
    with pytest.raises(ValueError, match=r"image_shape must be \(8, 8, 1\) as X is, got \(4, 16\)"):
        small(image_shape=(4, 16)).fit(X, Y)


def with_one(value):
    spoiled = X.copy()
    spoiled[3, 2, 1, 0] = value
    return spoiled


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (with_one(np.nan), "Input X? ?contains NaN"),
        (with_one(np.inf), "Input X? ?contains infinity"),
        (with_one(np.nan).reshape(120, 64), "Input X contains NaN"),
        (X[..., None], r"CNNClassifier: X must be .*, got shape \(120, 8, 8, 1, 1\)"),
        (X.ravel(), "Expected 2D array, got 1D array instead"),
        (X[:0], r"Found array with 0 sample\(s\)"),
        (X + 0j, "Complex data not supported"),
        (X.astype("U"), "dtype='numeric' is not compatible with arrays of bytes/strings"),
        (X.astype("longdouble"), "CNNClassifier: X must hold real numbers, got dtype"),
        (X[:5], r"Found input variables with inconsistent numbers of samples: \[5, 120\]"),
    ],
    ids=lambda value: "" if isinstance(value, np.ndarray) else value,
)
def test_bad_X(rows, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        small(image_shape=(8, 8)).fit(rows, Y)


def test_sparse_X():
    from scipy.sparse import csr_array

    with pytest.raises(TypeError, match=r"^Sparse data was passed"):
        small(image_shape=(8, 8)).fit(csr_array(X.reshape(120, 64)), Y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y + 0.5, "Unknown label type: continuous"),
        (np.where(Y == 3, np.nan, Y), "Input y contains NaN"),
        (
            np.c_[Y, Y],
            r"CNNClassifier: y must hold one class a sample or be a multilabel indicator",
        ),
        (None, "requires y to be passed|.*y cannot be None"),
    ],
)
def test_bad_y(y, message):
    with pytest.raises(ValueError, match=message):
        small().fit(X, y)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            X[:, :1, :1],
            r"CNNClassifier: X must hold images of shape \(8, 8, 1\), as in fit, got shape",
        ),
        (np.repeat(X, 3, 3), r"CNNClassifier: X must hold images of shape \(8, 8, 1\), as in fit"),
        (X.reshape(60, 2, 8, 8, 1), r"CNNClassifier: X must hold images of shape \(8, 8, 1\)"),
        (X.reshape(60, 128), "X has 128 features, but CNNClassifier is expecting 64 features"),
        (with_one(np.nan), "Input X? ?contains NaN"),
        (X[:0], r"Found array with 0 sample\(s\)"),
    ],
    ids=lambda value: "" if isinstance(value, np.ndarray) else value,
)
@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
def test_bad_X_at_predict(method, rows, message):
    clf = small(max_iter=1).fit(X, Y)
    with pytest.raises(ValueError, match=f"^{message}"):
        getattr(clf, method)(rows)


def test_divergence():
    clf = small(solver="sgd", learning_rate="constant", learning_rate_init=1e30)
    with pytest.raises(ValueError, match=r"^Training diverged in epoch \d: .* now 1e\+30\.$"):
        clf.fit(X, Y)
