"""The estimators: the only module that knows scikit-learn's contract."""

from math import prod
from numbers import Integral, Real

import numpy as np
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, check_X_y, validate_data

from cnnkit import images, optimizers
from cnnkit.arrays import real_dtype
from cnnkit.functional import softmax
from cnnkit.graph import Graph, Sequential
from cnnkit.layers import Conv, Conv1x1, GlobalAvgPool, MaxPool, ReLU
from cnnkit.losses import SoftmaxCrossEntropy
from cnnkit.network import Network
from cnnkit.training import Training, predict

ALGORITHMS = ("auto", "direct", "im2col")
PREDICT_BATCH = 256  # most samples of one batch at prediction, and most memory of its activations
PREDICT_BYTES = 64 << 20


class CNNClassifier(ClassifierMixin, BaseEstimator):
    """Convolutional network classifier.

    Trains with mini-batches on softmax cross-entropy. The words for hyper-parameters are those of
    scikit-learn's MLPClassifier.

    Parameters
    ----------
    layers : list of Layer or (name, Layer), or Graph, default=None
        The network; it must end in one number per class, which ``filters=None`` and
        ``units=None`` stand for. None is two 3x3 convolutions (1x1 for images of one pixel), a
        1x1 convolution with one filter per class, and global average pooling.
    image_shape : tuple (H, W, C) or (H, W), default=None
        Shape of one image, needed where X has flat rows. Without it a flat row is one pixel with
        as many channels as features.
    solver : {"adam", "adamw", "sgd"}, default="adam"
    alpha : float, default=1e-4
        L2 regularisation of weights, not of biases. It is divided by the samples of the batch, as
        in MLPClassifier; for "adamw" it is the decoupled decay rate.
    batch_size : int, default=32
        Samples of one step; all of them where there are fewer.
    learning_rate_init : float, default=0.001
    max_iter : int, default=30
        Most epochs. A budget: reaching it is no warning.
    shuffle : bool, default=True
        Draw a new order of the samples for every epoch.
    random_state : int, RandomState instance or None, default=None
        Initial weights, order of the samples and dropout.
    tol : float, default=1e-4
    n_iter_no_change : int, default=10
        Training stops early once the loss has not fallen by `tol` for so many epochs in a row.
    momentum : float, default=0.9
    nesterovs_momentum : bool, default=True
        For "sgd" only.
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        For "adam" and "adamw" only.
    algorithm : {"auto", "direct", "im2col"}, default="auto"
        How convolutions are computed; see `cnnkit.functional.conv2d`.
    verbose : bool, default=False
        Print the loss of every epoch.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
    network_ : Network
        ``network_.weights["conv1/w"]`` is an array that can be read, changed and assigned.
    loss_ : float
        Mean loss of the last epoch.
    loss_curve_ : list of float
        Mean loss of every epoch, without the regularisation.
    n_iter_ : int
        Epochs trained.
    input_shape_ : tuple
        (H, W, C) of one image.
    n_features_in_ : int
        Numbers of one image, H * W * C.

    Notes
    -----
    X may be (n, H, W, C), (n, H, W) or flat rows, in any real dtype. uint8 is scaled from 0..255
    to 0..1, a batch at a time; other dtypes are taken as they are. Weights and arithmetic are
    float64 if X is, else float32. The same `random_state` gives the same bits on any number of
    threads.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from cnnkit import CNNClassifier, Conv, Conv1x1, GlobalAvgPool, MaxPool, ReLU
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(
    ...     [Conv(16, 3), ReLU(), Conv(32, 3), ReLU(), MaxPool(2), Conv1x1(None), GlobalAvgPool()],
    ...     image_shape=(8, 8, 1),
    ...     learning_rate_init=0.005,
    ...     max_iter=8,
    ...     random_state=0,
    ... )
    >>> clf.fit(X[:1400] / 16, y[:1400]).score(X[1400:] / 16, y[1400:]) > 0.85
    True
    """

    _parameter_constraints = {  # noqa: RUF012
        "layers": [None, list, tuple, Graph],
        "image_shape": [None, list, tuple],
        "solver": [StrOptions({"adam", "adamw", "sgd"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "algorithm": [StrOptions(set(ALGORITHMS))],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        layers=None,
        *,
        image_shape=None,
        solver="adam",
        alpha=1e-4,
        batch_size=32,
        learning_rate_init=0.001,
        max_iter=30,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        n_iter_no_change=10,
        momentum=0.9,
        nesterovs_momentum=True,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        algorithm="auto",
        verbose=False,
    ):
        self.layers = layers
        self.image_shape = image_shape
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.algorithm = algorithm
        self.verbose = verbose

    def fit(self, X, y):
        """Train a new network.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
        y : array of shape (n,)
            Classes, of any type that sorts.

        Returns
        -------
        self : CNNClassifier
        """
        self._validate_params()
        X, y, shape = self._check_training_data(X, y)
        classes, targets = np.unique(y, return_inverse=True)
        run = self._begin(X, shape, len(classes), min(self.batch_size, len(X)))
        run.run(
            X,
            targets,
            epochs=self.max_iter,
            tol=self.tol,
            patience=self.n_iter_no_change,
            verbose=self.verbose,
        )
        vars(self).pop("_training", None)
        return self._finish(run, shape, classes)

    def partial_fit(self, X, y, classes=None):
        """Train for one epoch over the samples given, starting from the weights there are.

        Parameters
        ----------
        X, y :
            As in `fit`.
        classes : array of shape (n_classes,), default=None
            All classes there will ever be; needed in the first call on a new estimator.

        Returns
        -------
        self : CNNClassifier
        """
        self._validate_params()
        first = not hasattr(self, "network_")
        if first and classes is None:
            raise ValueError("CNNClassifier: classes must be given in the first partial_fit.")
        X, y, shape = self._check_training_data(X, y, None if first else self.input_shape_)
        known = np.unique(classes) if first else self.classes_
        if classes is not None and not np.array_equal(np.unique(classes), known):
            raise ValueError(
                f"CNNClassifier: classes must be {known}, as in the first call, got {classes!r}."
            )
        strange = np.setdiff1d(y, known)
        if len(strange):
            raise ValueError(f"CNNClassifier: y must be of the classes {known}, got {strange}.")
        run = getattr(self, "_training", None)
        if run is None:
            weights = None if first else self.network_.weights
            run = self._begin(X, shape, len(known), self.batch_size, weights)
            run.loss_curve += getattr(self, "loss_curve_", [])
        run.run(X, np.searchsorted(known, y), epochs=1, verbose=self.verbose)
        self._training = run
        return self._finish(run, shape, known)

    def _check_training_data(self, X, y, fitted_shape=None):
        """Return X, y and the shape of one image; the shape must be `fitted_shape` if given."""
        owner = type(self).__name__
        if _dimensions(X) > 2:
            X, y = check_X_y(X, y, allow_nd=True, estimator=self)
        else:
            X, y = validate_data(self, X, y, reset=fitted_shape is None)
        real_dtype(X.dtype, "X", owner)
        check_classification_targets(y)
        if fitted_shape is None:
            shape = images.input_shape(X, self.image_shape, owner)
            self.n_features_in_ = prod(shape)
            return X, y, shape
        images.check_input_shape(X, fitted_shape, owner)
        return X, y, fitted_shape

    def _begin(self, X, shape, n_outputs, batch_size, weights=None):
        """Return a `Training` of a new network, or of one with the weights given."""
        layers = default_layers(shape) if self.layers is None else self.layers
        graph = layers if isinstance(layers, Graph) else Sequential(layers)
        graph.flattened()  # what is not a layer is refused before scikit-learn tries to clone it
        graph = clone(graph)
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        for_weights, for_order, for_dropout = np.random.default_rng(seed).spawn(3)
        network = Network(
            graph,
            shape,
            n_outputs,
            batch_size=batch_size,
            dtype=real_dtype(X.dtype, "X", type(self).__name__)
            if weights is None
            else weights.flat.dtype,
            training=True,
            algorithm=self.algorithm,
            weights=weights,
            rng=for_dropout,
        )
        if network.output.shape[1:] != (n_outputs,):
            raise ValueError(
                f"{type(self).__name__}: layers must end in {n_outputs} numbers, one per class, "
                f"got an output of shape {network.output.shape[1:]}."
            )
        if weights is None:
            network.weights.initialise(for_weights)
        return Training(
            network,
            SoftmaxCrossEntropy(),
            self._optimizer(network.weights),
            for_order if self.shuffle else None,
        )

    def _optimizer(self, weights):
        if self.solver == "sgd":
            return optimizers.SGD(
                weights,
                self.learning_rate_init,
                self.alpha,
                momentum=self.momentum,
                nesterov=self.nesterovs_momentum,
            )
        solver = {"adam": optimizers.Adam, "adamw": optimizers.AdamW}[self.solver]
        return solver(
            weights,
            self.learning_rate_init,
            self.alpha,
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
        )

    def _finish(self, run, shape, classes):
        """Keep what prediction needs."""
        self.classes_ = classes
        self.input_shape_ = shape
        self.network_ = run.network.resized(1)
        self.loss_curve_ = run.loss_curve
        self.loss_ = run.loss_curve[-1]
        self.n_iter_ = len(run.loss_curve)
        return self

    def _logits(self, X):
        check_is_fitted(self)
        if _dimensions(X) > 2:
            X = check_array(X, allow_nd=True, estimator=self, input_name="X")
        else:
            X = validate_data(self, X, reset=False)
        real_dtype(X.dtype, "X", type(self).__name__)
        images.check_input_shape(X, self.input_shape_, type(self).__name__)
        most = max(1, PREDICT_BYTES // self.network_.activation_bytes)
        return predict(self.network_.resized(min(len(X), most, PREDICT_BATCH)), X)

    def predict_proba(self, X):
        """Return the probability of every class, an array of shape (n, n_classes).

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            Images of the shape given to `fit`.
        """
        return softmax(self._logits(X))

    def predict_log_proba(self, X):
        """Return the logarithm of `predict_proba`, finite where the probability underflows."""
        return log_softmax(self._logits(X), axis=1)

    def predict(self, X):
        """Return the most probable class of every sample, an array of shape (n,)."""
        logits = self._logits(X)
        return self.classes_[logits.argmax(axis=1)]

    def summary(self):
        """Return a table of name, layer, output shape, weights and multiply-adds.

        Returns
        -------
        summary : cnnkit.summary.Summary
            Prints as a table; rows and totals are attributes.
        """
        check_is_fitted(self)
        return self.network_.summary()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _dimensions(X):
    """Return how many dimensions X has, without asking a foreign array type for more."""
    if isinstance(X, (list, tuple)):
        return np.ndim(X)
    return getattr(X, "ndim", 2)


def default_layers(shape):
    """Return the layers `layers=None` stands for, for images of `shape` (H, W, C)."""
    kernel = 1 if shape[:2] == (1, 1) else 3
    pool = [MaxPool(2)] if min(shape[:2]) >= 4 else []
    return [
        Conv(16, kernel),
        ReLU(),
        Conv(32, kernel),
        ReLU(),
        *pool,
        Conv1x1(),
        GlobalAvgPool(),
    ]
