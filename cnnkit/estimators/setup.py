"""From an estimator's hyper-parameters to a training run."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from cnnkit import models
from cnnkit.data import images, scaling
from cnnkit.estimators.defaults import settle
from cnnkit.estimators.scoring import Scorers
from cnnkit.estimators.warnings import (
    warn_of_data,
    warn_of_initial_scale,
    warn_of_small_batches,
    warn_of_unused_scoring,
)
from cnnkit.graph.graph import Graph, Sequential
from cnnkit.layers import Dropout
from cnnkit.network.network import Network
from cnnkit.network.prediction import PREDICT_BATCH
from cnnkit.schedules import is_planned
from cnnkit.training import optimizers
from cnnkit.training.lbfgs import VECTORS, BatchTraining
from cnnkit.training.loop import Augmenter, Training
from cnnkit.training.stopping import Validation, Watch
from cnnkit.validate.arrays import check_range, check_unmasked, real_dtype


def draw_seed(random_state):
    """Return the seed of all random generators of a fit."""
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def generators(seed):
    """Return a random generator for each purpose, by name."""
    names = ("weights", "order", "dropout", "augmentation", "split")
    return dict(zip(names, np.random.default_rng(seed).spawn(len(names)), strict=True))


def choose(estimator, shape, n_outputs, count, *, part=False):
    """Return the `Settings` of a fit, or of a `part` of a stream, with a new graph.

    `shape` is the shape of one image, `count` the number of samples that training uses.
    """
    graph = make_graph(estimator, shape).resolve(shape, n_outputs)
    return settle(estimator, graph, count, part=part)


def begin(estimator, data, settings, rngs, start=None, *, part=False):
    """Return a run of a new network, which starts from the weights `start` if given.

    With `part` it is a run of one epoch, for `partial_fit`.
    """
    owner = type(estimator).__name__
    if settings.full_batch:
        check_full_batch(estimator, settings.graph)
    estimator._test_augmentation(data.shape)  # raises the errors that prediction would raise
    network = make_network(estimator, data, settings, rngs["dropout"], start, part)
    if start is not None:
        network.weights.take(start, owner)
    else:
        network.weights.initialise(rngs["weights"])
        found = data.put_statistics(network.weights, estimator.standardize)
        warn_of_data(found, data.X.dtype, estimator.standardize, owner)
        set_initial(network, estimator.initial_weights, owner, data.learnt.get("link_"))
        warn_of_initial_scale(estimator.initial_weights, data.X, owner)
    data.standardise_targets(network.weights, owner)
    warn_of_small_batches(network, owner)
    return make_training(estimator, data, settings, network, rngs)


def make_network(estimator, data, settings, rng, start, part):
    """Return a network for training, with zero weights; `rng` is the generator of its dropout."""
    owner, graph = type(estimator).__name__, settings.graph
    dtype = real_dtype(data.X.dtype, "X", owner) if start is None else start.flat.dtype
    data.check_range(dtype, owner)
    network = Network(
        graph,
        batch_size=min(data.count, PREDICT_BATCH) if settings.full_batch else settings.batch_size,
        dtype=dtype,
        training=True,
        algorithm=estimator.algorithm,
        rng=rng,
        frozen=frozen_paths(estimator.frozen, graph, owner),
        scales=estimator._scales(graph) if start is None else scaling.kept(start),
        companions=companions(estimator, part),
        predicts=not part and predicts(estimator, data),
    )
    check_ending(estimator, graph)
    if network.frozen and not network.weights.trained:
        raise ValueError(f"{owner}: frozen must leave a layer to train, got {estimator.frozen!r}.")
    return network


def predicts(estimator, data):
    """Say whether `fit` predicts while it trains."""
    return estimator.on_divergence == "stop" or data.validated or estimator.return_train_score


def make_training(estimator, data, settings, network, rngs):
    """Return a run of a network, which has the initial weights and scales."""
    loss = estimator._loss_for(data, network.weights)
    order = rngs["order"] if estimator.shuffle else None
    if settings.full_batch:
        return BatchTraining(network, loss, settings.alpha, estimator.tol, order)
    steps = -(-data.count // network.batch_size)
    augmentation = estimator._augmentation()
    return Training(
        network,
        loss,
        make_optimizer(estimator, settings, network.weights),
        order,
        rates=settings.schedule.bind(settings.learning_rate_init, steps, settings.epochs),
        augment=augmentation and Augmenter(augmentation, loss, rngs["augmentation"]),
        clip_norm=estimator.clip_norm,
        ema_decay=estimator.ema_decay,
    )


def measures(estimator, data, validation, run, scorers):
    """Return two `Validation` or None: the samples for validation and those of training.

    `validation` has the arguments of the first, or is None; `scorers` are by name, or None.
    """
    if scorers is not None:
        if validation is None and not estimator.return_train_score:
            warn_of_unused_scoring(estimator)
        scorers = Scorers(estimator, scorers, data, run)
    measured = partial(Validation, loss=run.loss, scorers=scorers)
    trained = measured(**data.measured()) if estimator.return_train_score else None
    return validation and measured(**validation), trained


def make_watch(estimator, settings, validation, trained, state):
    """Return the `Watch` of a fit; ``state(run, watch)`` returns the state for a checkpoint."""
    # L-BFGS has its own rule for the end, the size of the gradient; and a schedule with an
    # end is not stopped at its highest rate
    runs_on = settings.full_batch or is_planned(settings.schedule)
    waits = estimator.early_stopping or not runs_on
    return Watch(
        tol=estimator.tol,
        patience=estimator.n_iter_no_change if waits else None,
        validation=validation,
        trained=trained,
        early_stopping=estimator.early_stopping,
        max_time=estimator.max_time,
        keep_finite=estimator.on_divergence == "stop",
        state=state,
    )


def check_params(estimator, shape, n_outputs):
    """Raise if hyper-parameters are not valid in `begin` for images of `shape`."""
    owner = type(estimator).__name__
    estimator._validate_params()
    images.check_image_shape(estimator.image_shape, shape, owner)
    settings = choose(estimator, shape, n_outputs, 1)
    if estimator.solver == "lbfgs":
        check_full_batch(estimator, settings.graph)
    settings.schedule.bind(settings.learning_rate_init, 1, settings.epochs)
    estimator._test_augmentation(shape)
    check_ending(estimator, settings.graph)
    frozen_paths(estimator.frozen, settings.graph, owner)


def check_ending(estimator, graph):
    """Raise unless a graph has one output, with the wanted numbers, that the loss can use."""
    found, n_outputs = list(graph.output_shapes), graph.n_outputs
    shape = estimator._output_shape(graph.input_shape, n_outputs)
    wanted = f"{n_outputs} numbers, one per {estimator._output_word}"
    if estimator._has_image_targets:
        wanted = f"maps of shape {shape}, the size of X with a map per {estimator._output_word}"
    if len(found) > 1:
        raise ValueError(
            f"{type(estimator).__name__}: layers must have one output, {wanted}, got {len(found)} "
            f"outputs: name one, Graph(nodes, outputs='name')."
        )
    if found != [shape]:
        raise ValueError(
            f"{type(estimator).__name__}: layers must end in {wanted}, got an output of shape "
            f"{found[0]}."
        )
    estimator._check_ending(graph)


def companions(estimator, part):
    """Return the number of vectors as long as the weights, besides weights and gradients.

    The last of them is the copy for prediction, which is made at the end of training.
    """
    vectors = {"sgd": optimizers.SGD.n_moments, "lbfgs": 2 * VECTORS}
    changing = vectors.get(estimator.solver, optimizers.Adam.n_moments)
    changing += estimator.ema_decay is not None
    if part:
        return changing + copies(1 + changing)
    return changing + estimator.early_stopping + 2 * (estimator.on_divergence == "stop") + 1


def copies(changing):
    """Return the number of vectors that `partial_fit` copies, if its steps change `changing`.

    These are a copy of each, for the case of an error, and one vector for prediction.
    """
    return changing + 1


def make_graph(estimator, shape):
    """Return `layers` for images of `shape` as a new graph."""
    layers = estimator.layers
    if layers is None:
        layers = estimator._default_layers(shape)
    model = models.find(layers)
    if model is not None:
        layers = model(None, shape)
    graph = layers if isinstance(layers, Graph) else Sequential(layers)
    graph.leaves()  # raises for objects that are not layers, before scikit-learn clones them
    if len(graph.inputs_read()) > 1:
        raise ValueError(
            f"{type(estimator).__name__}: layers must read one input, got {graph.inputs_read()}: "
            f"X is one array. Run such a graph by cnnkit.Network, and fit on what it gives."
        )
    return clone(graph)


def check_full_batch(estimator, graph):
    """Raise for random layers and for options that L-BFGS cannot use."""
    owner = type(estimator).__name__
    for name in ("learning_rate", "augmentation", "clip_norm", "ema_decay"):
        value = getattr(estimator, name)
        allowed = ("auto", "constant") if name == "learning_rate" else (None,)
        if value not in allowed:
            raise ValueError(
                f"{owner}: {name} must be {allowed[-1]!r} with solver='lbfgs', got {value!r}."
            )
    dropping = [node.name for node in graph.nodes if isinstance(node.layer, Dropout)]
    if dropping:
        raise ValueError(
            f"{owner}: layers must hold no Dropout with solver='lbfgs', got {dropping}."
        )


def frozen_paths(frozen, graph, owner):
    """Return the paths of the layers that `frozen` names, directly or by a graph around them."""
    paths = [node.name for node in graph.nodes]
    known = {"/".join(path.split("/")[:i]) for path in paths for i in range(1, path.count("/") + 2)}
    strange = [name for name in frozen or () if name not in known]
    if strange:
        raise ValueError(f"{owner}: frozen must be names of layers {paths}, got {strange}.")
    return [path for path in paths if any((path + "/").startswith(n + "/") for n in frozen or ())]


def set_initial(network, source, owner, link=None):
    """Copy the weights of `source`, a mapping or a fitted estimator.

    Of an estimator with another number of outputs, or another `link`, the head is left out.
    """
    if source is None:
        return
    if not isinstance(source, Mapping):
        source = getattr(source, "estimator", source)  # of a FrozenEstimator of scikit-learn
        other = getattr(source, "network_", None)
        if other is None:
            raise ValueError(
                f"{owner}: initial_weights must be of a fitted estimator, got {source!r}, not "
                f"fitted: put it in sklearn.frozen.FrozenEstimator, which clone leaves fitted."
            )
        links = {link, getattr(source, "link_", None)} - {None}
        alike = other.n_outputs == network.n_outputs and len(links) < 2
        heads = () if alike else per_output_layers(network.graph)
        if heads:
            heads = {*heads, scaling.TARGETS}
        source = {
            path: array
            for path, array in other.weights.items()
            if path.rpartition("/")[0] not in heads
        }
    incomplete = getattr(source, "partial", False)  # as of a file whose head was cut off
    source = {path: array for path, array in source.items() if goes_on(path, network)}
    if incomplete:
        source = {path: array for path, array in source.items() if path in network.weights}
    unknown = [path for path in source if path not in network.weights]
    if unknown:
        raise ValueError(
            f"{owner}: initial_weights must be of {list(network.weights)}, got {unknown}."
        )
    for path, array in source.items():
        name = f"initial_weights of {path!r}"
        check_unmasked(array, name, owner)
        array = np.asarray(array)
        wanted = network.weights[path].shape
        if array.shape != wanted:
            raise ValueError(f"{owner}: {name} must have shape {wanted}, got {array.shape}.")
        real_dtype(array.dtype, name, owner)
        check_range(array, network.dtype, name, owner, always=True)
        least = network.weights.specs[path].least
        if array.size and array.min() < least:
            raise ValueError(f"{owner}: {name} must be at least {least}, got {array.min()}.")
        network.weights[path] = array


def goes_on(path, network):
    """Say whether a weight of another network, by path, is copied.

    The range of its training set is not copied, nor the scale of targets if `network` has none.
    """
    part = path.rpartition("/")[0]
    return path != scaling.RANGE and (part != scaling.TARGETS or path in network.weights)


def per_output_layers(graph):
    """Return the paths of the layers that have one filter or unit per output."""
    return {
        name
        for name, layer, _ in graph.flattened()
        if layer.per_output is not None and getattr(layer, layer.per_output) is None
    }


def make_optimizer(estimator, settings, weights):
    """Return the optimizer `solver` names."""
    rate, alpha = settings.learning_rate_init, settings.alpha
    if estimator.solver == "sgd":
        return optimizers.SGD(
            weights,
            rate,
            alpha,
            momentum=estimator.momentum,
            nesterov=estimator.nesterovs_momentum,
        )
    solver = {"adam": optimizers.Adam, "adamw": optimizers.AdamW}[estimator.solver]
    return solver(
        weights,
        rate,
        alpha,
        beta_1=estimator.beta_1,
        beta_2=estimator.beta_2,
        epsilon=estimator.epsilon,
    )
