"""Base class of classifier and regressor: scikit-learn's contract around a training run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cache, partial
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from cnnkit.augmentation import Augmentation
from cnnkit.callbacks import Bar, Lines
from cnnkit.data.scaling import LEAST
from cnnkit.estimators import learned_attributes, sklearn_callbacks
from cnnkit.estimators.inputs import TrainingData
from cnnkit.estimators.named_layers import NamedLayers
from cnnkit.estimators.options import AUGMENTATION, ESTIMATOR, MODEL, SCHEDULE, Reals
from cnnkit.estimators.outputs import MOST_COPIES, Outputs
from cnnkit.estimators.resume import describe, describe_start, go_on, state_to_resume
from cnnkit.estimators.scoring import find_scorers
from cnnkit.estimators.setup import (
    begin,
    choose,
    copies,
    draw_seed,
    generators,
    make_watch,
    measures,
)
from cnnkit.estimators.snapshot import CHANGING, set_learned, snapshot, training_of
from cnnkit.estimators.stream_data import StreamData, are_batches
from cnnkit.estimators.targets import Targets
from cnnkit.estimators.warnings import warn_of_no_progress
from cnnkit.exceptions import DivergenceError, ModelFormatError
from cnnkit.graph.graph import Graph
from cnnkit.models import default
from cnnkit.network.network import Network
from cnnkit.training.checkpoints import State
from cnnkit.training.loop import Training
from cnnkit.training.stopping import Watch
from cnnkit.validate.arrays import fill
from cnnkit.validate.available_memory import check_memory
from cnnkit.validate.guesses import answering
from cnnkit.validate.pickles import Checked

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnnkit.graph.summary import Summary
    from cnnkit.schedules import Schedule
    from cnnkit.typing import (
        Algorithm,
        Array,
        Estimator,
        Layers,
        Model,
        RandomState,
        Scoring,
        Shape,
    )

AUTO = StrOptions({"auto"})
ALGORITHMS = ("auto", "exact", "direct", "im2col", "winograd")


class BaseCNN(sklearn_callbacks.CallbackSupport, Targets, Outputs, NamedLayers, Checked):
    """Base class of classifier and regressor, which define the methods that `Targets` declares.

    Parameters
    ----------
    layers : list of Layer or (name, Layer), Graph, or name of a model, default=None
        The network. It must end in one number per output: ``filters=None`` and ``units=None`` mean
        this number. ``"resnet18"``, or ``cnnkit.models.resnet18`` itself, is that network for the
        shape of the images and the number of outputs. None means `cnnkit.models.default`, which
        depends on the shape of the images: convolutions with batch norm, a pooling between widths,
        global average pooling; for images of one pixel, a table, one hidden layer of 100 units. The
        layers of a list are hyper-parameters by name: ``conv1``, which may be ``"passthrough"``,
        and ``conv1__filters``; those of a Graph are ``layers__conv1__filters``.
    image_shape : tuple (H, W, C) or (H, W), default=None
        Shape of one image, needed if X has flat rows. Without it a flat row is one pixel with as
        many channels as features. ``(1, L)`` and ``(1, L, C)`` are for signals, X of shape (n, L)
        or (n, L, C): see docs/guides/signals.md.
    standardize : bool, default=True
        Whether the mean of every channel over the training set is subtracted, and the channel
        divided by its standard deviation, in training and prediction alike; ranges such as 0..255,
        0..1 or -1000..3000 then make no difference. If the largest deviation is at most 10 times
        the smallest, all channels are divided by one deviation, so that channels of one unit keep
        their proportions. The statistics are kept as ``network_.weights["input/mean"]`` and
        ``["input/scale"]``; `partial_fit` uses those of the first part. If False, images are used
        as they are, except that uint8 is divided by 255.
    solver : {"adamw", "adam", "sgd", "lbfgs"}, default="adamw"
        "lbfgs" uses all samples in every step and needs no learning rate. It is for some hundred
        small images and layers without dropout, and ends in a minimum of the loss. With more data
        "adamw" is faster and better. Loshchilov & Hutter (2019), "Decoupled weight decay
        regularization"; Kingma & Ba (2015), "Adam"; Liu & Nocedal (1989), "On the limited memory
        BFGS method".
    alpha : float or "auto", default="auto"
        L2 regularisation of weights, not of biases. For "adamw" it is the decoupled decay rate;
        "auto" means 0.01, and for a table 100 / samples (from 0.01 to 1). For other solvers it is
        divided by the number of samples of the batch (the sum of their weights), as in
        MLPClassifier; "auto" means 1e-4.
    batch_size : int or "auto", default="auto"
        Samples of one step; all samples if there are fewer, and for "lbfgs". "auto" means 32, for
        fewer than 600 images 16, for fewer than 200 images 8, for a table 64, and in `partial_fit`
        32. All batches of an epoch are equally large, as far as possible.
    learning_rate : "auto", "constant" or schedule, default="auto"
        Change of the learning rate over the fit: see `cnnkit.schedules`. "auto" means
        ``OneCycle()``, which rises to `learning_rate_init` and ends near 0 in the last of
        `max_iter` epochs; in `partial_fit`, which has no last epoch, it means "constant".
    learning_rate_init : float or "auto", default="auto"
        Highest learning rate. "auto" means the largest rate that suits every layer, from 0.0001 to
        0.01: 1 / fan-in (the numbers that add up in one output), or 5 / fan-in if a batch norm
        follows, and with batch norms 5 times that where targets are images. For "sgd" with batch
        norms it is 5 times as large; in `partial_fit` 0.3 times.
    max_iter : int or "auto", default="auto"
        Largest number of epochs, or of iterations of "lbfgs". It is a budget: reaching it gives no
        warning. "auto" means ``12 * (1000 / samples) ** 0.75`` epochs, at least 10, and for fewer
        than 64 samples as many as for 64; a regressor has twice as many. For a table it means
        ``30 * (1000 / samples) ** 0.5`` epochs, at least 4; for "lbfgs" 200 iterations.
    max_time : float, default=None
        Seconds after which training ends, also in the middle of an epoch.
    shuffle : bool, default=True
        Whether every epoch has a new random order of the samples.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, order of the samples, dropout, augmentation and validation split.
    tol : float, default=1e-4
        Smallest change of the loss that counts for `n_iter_no_change`. "lbfgs" also ends when the
        largest component of the gradient is below it.
    n_iter_no_change : int, default=10
        Training ends when the loss has not fallen by `tol` for so many epochs in a row. With a
        schedule that has an end ("auto", ``Cosine``, ``OneCycle``) training runs to that end,
        unless `early_stopping`.
    early_stopping : bool, default=False
        Whether to watch the score on validation samples instead of the training loss, and to keep
        the weights with the best score.
    validation_fraction : float, default=0.1
        Share of the samples that `early_stopping` sets aside if `fit` is given no `X_val`.
    scoring : str, callable, list of str, or dict of name to str or callable, default=None
        What is recorded of validation samples after every epoch, and the first of which decides
        `early_stopping`: names of scikit-learn's scorers, such as ``"f1_macro"`` or
        ``"neg_mean_absolute_error"``, or callables ``scorer(estimator, X, y)``; more is better.
        None means accuracy, or R2. See docs/guides/training.md.
    return_train_score : bool, default=False
        Whether the same scores of the training samples are recorded, too, which takes a prediction
        of all of them in every epoch.
    warm_start : bool, default=False
        Whether `fit` starts from the weights of the last fit.
    initial_weights : mapping of path to array, or fitted estimator, default=None
        Initial weights for some paths, such as ``"conv1/w"``; the others are drawn. If an estimator
        has another number of outputs, its layers with one filter or unit per output are not used.
        ``input/mean`` and ``input/scale`` among them are used in the place of the statistics of the
        training set: `cnnkit.io.convert_weights` returns those that weights from elsewhere need.
    frozen : list of str, default=None
        Names of layers, or of graphs of layers, that training does not change. No gradients are
        computed below the first trained layer. A frozen batch norm uses its running statistics.
    augmentation : Augmentation or list of them, default=None
        Random changes of training images, drawn anew in every epoch: see `cnnkit.augmentation`. A
        list means ``Augment(list)``.
    test_time_augmentation : int, default=0
        Number of augmented copies of every image, at most 1,000: the prediction is the mean output
        over the image and its copies. Augmentations that mix targets are left out. The random
        changes depend on the place of an image in X: alone it may get another prediction.
    clip_norm : float, default=None
        Largest norm of the gradient of the loss in a step.
    ema_decay : float, default=None
        Decay of an exponential moving average of the weights over the steps, which is used for
        prediction.
    on_divergence : {"raise", "stop"}, default="raise"
        What happens when the loss, or a weight, is no longer a finite number. "raise" raises a
        `cnnkit.exceptions.DivergenceError`. "stop" gives a ConvergenceWarning and restores the
        weights of the epoch before, or of the one before that, with which the network gives finite
        numbers for the training set. In the first epoch the error is always raised.
    momentum : float, default=0.9
        For "sgd" only: share of the step before that a step adds, from 0 to 1.
    nesterovs_momentum : bool, default=True
        For "sgd" only: whether the gradient counts as taken after the step before.
    beta_1 : float, default=0.9
        For "adam" and "adamw" only: decay of the mean of gradients, at least 0 and below 1.
    beta_2 : float, default=0.999
        For "adam" and "adamw" only: decay of the mean of squared gradients, at least 0 and below 1.
    epsilon : float, default=1e-8
        For "adam" and "adamw" only: added to the root of that mean, by which a step is divided.
    algorithm : {"auto", "exact", "direct", "im2col", "winograd"}, default="auto"
        Algorithm of convolutions and dense layers: see `cnnkit.functional.conv2d`; `summary` shows
        which one runs. "im2col" is the reference, by BLAS. "exact" does not use Winograd's
        algorithm, whose rounding errors are a little larger, and much larger if single pixels or
        channels are thousands of times larger than others.
    verbose : int, default=0
        1 prints the estimator and a line for every epoch, 2 shows a progress bar with the time left
        (needs rich). In processes and threads of a search, lines begin with the name of these.

    Attributes
    ----------
    network_ : Network
        The trained network. ``network_.weights["conv1/w"]`` is an array that can be read, changed
        and assigned.
    loss_ : float
        Mean loss of the last epoch.
    loss_curve_ : list of float
        Mean loss of every epoch, without the regularisation.
    validation_loss_curve_ : list of float or None
        Validation loss of every epoch of the last fit, if it had validation samples.
    validation_scores_ : list of float or None
        Validation score of every epoch of the last fit, the first of `scoring`.
    score_curves_ : dict of str to list of float, or None
        All scores of every epoch of the last fit, such as ``"validation_f1"`` and ``"train_f1"``;
        a score without a name is ``"validation_score"``.
    best_validation_score_ : float or None
        With `early_stopping`, the score of the weights that were kept.
    n_iter_ : int
        Number of epochs trained.
    input_shape_ : tuple
        (H, W, C) of one image.
    n_features_in_ : int
        Count of numbers in one image, H * W * C.
    feature_names_in_ : array of shape (``n_features_in_``,)
        Names of the columns if X was a data frame.
    """

    network_: Network
    loss_: float
    loss_curve_: list[float]
    validation_loss_curve_: list[float] | None
    validation_scores_: list[float] | None
    score_curves_: dict[str, list[float]] | None
    best_validation_score_: float | None
    n_iter_: int
    input_shape_: Shape
    n_features_in_: int
    feature_names_in_: Array

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}  # as of group splitters

    _training: Training | None = None  # the run with which `partial_fit` goes on, if there is one

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "layers": [None, list, tuple, Graph, MODEL],
        "image_shape": [None, list, tuple],
        "standardize": ["boolean"],
        "solver": [StrOptions({"adam", "adamw", "sgd", "lbfgs"})],
        "alpha": [AUTO, Reals(0, None, closed="left")],
        "batch_size": [AUTO, Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"auto", "constant"}), SCHEDULE],
        "learning_rate_init": [AUTO, Reals(0, None, closed="neither")],
        "max_iter": [AUTO, Interval(Integral, 1, None, closed="left")],
        "max_time": [None, Reals(0, None, closed="neither")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Reals(0, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Reals(0, 1, closed="neither")],
        "scoring": [None, str, callable, list, tuple, Mapping],
        "return_train_score": ["boolean"],
        "warm_start": ["boolean"],
        "initial_weights": [None, Mapping, ESTIMATOR],
        "frozen": [None, list, tuple],
        "augmentation": [None, list, tuple, AUGMENTATION],
        "test_time_augmentation": [Interval(Integral, 0, MOST_COPIES, closed="both")],
        "clip_norm": [None, Reals(0, None, closed="neither")],
        "ema_decay": [None, Reals(0, 1, closed="neither")],
        "on_divergence": [StrOptions({"raise", "stop"})],
        "momentum": [Reals(0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [Reals(0, 1, closed="left")],
        "beta_2": [Reals(0, 1, closed="left")],
        "epsilon": [Reals(LEAST, None, closed="left")],
        "algorithm": [StrOptions(set(ALGORITHMS))],
        "verbose": ["boolean", Interval(Integral, 0, 2, closed="both")],
    }

    def __init__(
        self,
        layers: Layers | Graph | Model | None = None,
        *,
        image_shape: Sequence[int] | None = None,
        standardize: bool = True,
        solver: Literal["adamw", "adam", "sgd", "lbfgs"] = "adamw",
        alpha: float | Literal["auto"] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: Literal["auto", "constant"] | Schedule = "auto",
        learning_rate_init: float | Literal["auto"] = "auto",
        max_iter: int | Literal["auto"] = "auto",
        max_time: float | None = None,
        shuffle: bool = True,
        random_state: RandomState = None,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        scoring: Scoring = None,
        return_train_score: bool = False,
        warm_start: bool = False,
        initial_weights: Mapping[str, ArrayLike] | Estimator | None = None,
        frozen: Sequence[str] | None = None,
        augmentation: Augmentation | Sequence[Augmentation] | None = None,
        test_time_augmentation: int = 0,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        on_divergence: Literal["raise", "stop"] = "raise",
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        algorithm: Algorithm = "auto",
        verbose: int = 0,
    ) -> None:
        self.layers = layers
        self.image_shape = image_shape
        self.standardize = standardize
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.max_time = max_time
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.scoring = scoring
        self.return_train_score = return_train_score
        self.warm_start = warm_start
        self.initial_weights = initial_weights
        self.frozen = frozen
        self.augmentation = augmentation
        self.test_time_augmentation = test_time_augmentation
        self.clip_norm = clip_norm
        self.ema_decay = ema_decay
        self.on_divergence = on_divergence
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.algorithm = algorithm
        self.verbose = verbose

    # Training

    @answering
    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        steps_per_epoch: int | None = None,
    ) -> Self:
        """Train a network: a new one, unless `warm_start`.

        If an error or Ctrl-C ends the fit, the estimator is as it was before.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features), or batches
            Arrays of h5py, zarr and dask, and a `cnnkit.data.LazyArray`, are read in batches.
            Batches are a callable that returns an iterator of pairs of images and targets for every
            epoch, or an iterable of such pairs: then `y` is None. The first epoch is read once
            before training, to learn classes and scales. Epochs have as many samples as that.
        y : array of shape (n,) or (n, n_outputs)
            Where targets are images, (n, H, W) or, of numbers, (n, H, W, n_outputs).
        sample_weight : array of shape (n,), default=None
            Weights of the samples, not negative. A sample of weight zero is left out. Only the
            ratios of weights matter, except where `alpha` is divided by their sum.
        X_val : array, default=None
            Validation samples, whose loss and score are recorded after every epoch.
        y_val : array, default=None
            Their targets.
        groups : array of shape (n,), default=None
            Label of the group that a sample belongs to, such as a patient. The split of
            `early_stopping` keeps groups whole, and the shares of the classes as far as it can.
            With scikit-learn's metadata routing, a search or a pipeline passes them on.
        steps_per_epoch : int, default=None
            Batches of an epoch where `X` makes batches; None means all that an iterator gives.

        Returns
        -------
        self : estimator
            The estimator itself, fitted.

        Raises
        ------
        ValueError, TypeError
            If a hyper-parameter is out of range, or X, y and the network do not fit together.
        DivergenceError
            If the loss or a weight is no finite number: see `on_divergence`.
        MemoryError
            If the arrays of training need more memory than there is.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cnnkit import CNNClassifier
        >>> X, y = load_digits().images, load_digits().target
        >>> clf = CNNClassifier(max_iter=2, random_state=0)
        >>> clf = clf.fit(X[:400], y[:400], X_val=X[400:500], y_val=y[400:500])
        >>> clf.n_iter_, len(clf.validation_scores_)
        (2, 2)
        """
        moment = self._begun()
        scorers = find_scorers(moment)
        again = moment.warm_start and hasattr(moment, "network_")
        data: TrainingData
        if are_batches(moment, X, y, sample_weight, steps_per_epoch):
            data = StreamData(moment, X, steps_per_epoch, again=again)
        else:
            data = TrainingData(moment, X, y, sample_weight, again=again)
        seed = draw_seed(moment.random_state)
        state = state_to_resume(moment, again, moment.early_stopping or X_val is not None)
        if state is not None and moment.random_state is None:
            seed = state.seed
        rngs = generators(seed)
        validation = data.validation(moment, X_val, y_val, rngs["split"], groups)
        start = moment.network_.weights if again else None
        settings = choose(moment, data.shape, data.learnt["n_outputs_"], data.count)
        run = begin(moment, data, settings, rngs, start)
        if again:
            run.loss_curve += moment.loss_curve_
        listened = getattr(moment, "_skl_callbacks", [])  # only callbacks need the start described
        begun = describe_start(run.network.weights, run.loss_curve) if listened else ""
        fit = cache(partial(describe, moment, seed, begun, data, validation))
        validated, trained = measures(moment, data, validation, run, scorers)
        watch = make_watch(
            moment,
            settings,
            validated,
            trained,
            lambda run, watch: State.of(run, watch, fit(), seed),
        )
        if state is not None:
            go_on(state, run, watch, fit())
            state = None  # frees a copy as large as all vectors of training
        more = {"sample_weight": sample_weight, "groups": groups}
        metadata = {name: value for name, value in more.items() if value is not None} or None
        sklearn_callbacks.train(
            self,
            partial(run.run, *data.samples, epochs=settings.epochs, watch=watch),
            watch,
            display=[[], [Lines(settings)], [Bar(settings.epochs)]][int(moment.verbose)],
            epochs=settings.epochs,
            given={"X": data.X, "y": data.y, "metadata": metadata},
            fitted=lambda: self._fitted(run, watch, data, run.weights.copy()),
        )
        run.renew_statistics(data.X, data.rows)
        set_learned(self, self._fitted(run, watch, data, run.weights))
        warn_of_no_progress(self, run.loss_curve[-len(watch.epochs) :])
        if watch.warning is not None:
            warnings.warn(watch.warning, ConvergenceWarning, stacklevel=3)
        return self

    def _begun(self):
        """Return a `snapshot` for training: hyper-parameters are valid, numbers are Python's."""
        moment = snapshot(self)
        moment._validate_params()
        for name, value in moment.get_params(deep=False).items():
            # results computed with NumPy's float16 would be inexact
            if isinstance(value, Real) and not isinstance(value, (int, float)):
                setattr(moment, name, int(value) if isinstance(value, Integral) else float(value))
        return moment

    def _partial_fit(self, X, y, sample_weight, classes=None):
        """Train for one epoch over the samples given, starting from the present weights."""
        moment = self._begun()
        again = hasattr(moment, "network_")
        data = TrainingData(moment, X, y, sample_weight, again=again, classes=classes, part=True)
        start = moment.network_.weights if again else None
        try:
            with training_of(self, moment) as run:  # no other thread has it while it trains
                if run is None:
                    rngs = generators(draw_seed(moment.random_state))
                    settings = choose(
                        moment, data.shape, data.learnt["n_outputs_"], data.count, part=True
                    )
                    run = begin(moment, data, settings, rngs, start, part=True)
                    run.loss_curve += getattr(moment, "loss_curve_", [])
                else:
                    count, size = copies(len(run.arrays())), start.flat.nbytes
                    check_memory({f"{count} times the weights": count * size}, type(self).__name__)
                    fill(run.weights.flat, start.flat)  # the user may have set them
                    data.check_range(start.flat.dtype, type(self).__name__)
                    data.standardise_targets(run.weights, type(self).__name__)
                self._train_part(moment, data, run)
        except DivergenceError as error:
            if not again or moment.on_divergence != "stop":
                raise
            warnings.warn(f"{error} It is left out.", ConvergenceWarning, stacklevel=3)
        return self

    def _train_part(self, moment, data, run):
        """Train one epoch on a part of a stream; after an error the run is as it was before."""
        shown = [sklearn_callbacks.CallbackListener(self, [Lines()])] if moment.verbose else []
        watch = Watch(listeners=shown)
        before, rates = State.of(run, watch).copy(), deepcopy(run.rates)
        try:
            run.run(*data.samples, epochs=1, watch=watch)
            learnt = self._fitted(run, watch, data, run.weights.copy())
            set_learned(self, learnt | {"_training": run})
        except BaseException:
            if self._training is not run:
                before.apply(run, watch)
                run.rates = rates
            raise

    def _fitted(self, run, watch, data, weights):
        """Return the attributes that prediction needs."""
        return {
            **data.learnt,
            "input_shape_": data.shape,
            "network_": run.network.resized(1, weights=weights),
            "loss_curve_": list(run.loss_curve),
            "loss_": run.loss_curve[-1],
            "n_iter_": len(run.loss_curve),
            "validation_loss_curve_": watch.losses if watch.validation else None,
            "validation_scores_": watch.scores if watch.validation else None,
            "score_curves_": watch.curves,
            "best_validation_score_": watch.best_score,
        }

    def _default_layers(self, shape):
        """Return the network that `layers=None` stands for, for images of `shape`."""
        # L-BFGS cannot train with dropout
        return default(None, shape, dropout=0 if self.solver == "lbfgs" else self._dropout)

    def summary(self) -> Summary:
        """Return a table of name, layer, output shape, weights, multiply-adds and algorithms.

        Returns
        -------
        summary : cnnkit.graph.summary.Summary
            Prints as a table; rows and totals are attributes.
        """
        check_is_fitted(self)
        return self.network_.summary()

    def __getstate__(self):
        with CHANGING:  # no thread may train this run now: see `training_of`
            state = super().__getstate__()
            if state.get("_training") is not None:
                state["_training"] = state["_training"].apart()
        return state

    def _check_pickled(self, parts):
        if learned_attributes.FITTED.isdisjoint(parts):
            return
        run, network = self._training, self.network_
        if not isinstance(network, Network) or not isinstance(run, (Training, type(None))):
            raise ModelFormatError(
                f"{type(self).__name__}: network_ must be a Network, got {network!r}."
            )
        learned_attributes.check(vars(self), network, self._learned_of_targets)
        if run is not None:
            run.check(network.weights)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.target_tags.multi_output = True
        return tags
