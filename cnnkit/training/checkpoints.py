"""The state of training at the end of an epoch, in a file from which a run can go on.

The run ends with the same bits as without interruption. The file has the vectors that steps change,
the states of the random generators, and the figures of all epochs. All else follows from these: the
objects that count or compare epochs (patience, schedules, callbacks) are told the figures.
"""

from dataclasses import dataclass, replace
from math import isnan

import numpy as np

from cnnkit.exceptions import ModelFormatError
from cnnkit.files import tensors
from cnnkit.training.stopping import Epoch
from cnnkit.validate.arrays import extremes, fill
from cnnkit.validate.values import short

FORMAT = "cnnkit checkpoint 1"
WEIGHT = "weight:"  # before the path of a weight for prediction
VECTOR = "vector:"  # before the name of a vector that steps change
SCORE = "score:"  # before the name of a score, where there are others than the usual one
FINITE = (VECTOR + "weights", VECTOR + "average", "best", "before")  # moments: see Optimizer
PARTS = ("fit", "seed", "steps", "validated", "generators")
FIGURES = Epoch.names()
VALIDATED = ("validation_loss", "validation_score")
MOST = {"before": 500_000, "epochs": 100_000}  # small in a file, large as objects
MOST_SCORES = 50_000  # of all epochs


@dataclass
class State:
    """The state of a fit between two epochs.

    Attributes
    ----------
    fit : dict
        Description of the fit: see `cnnkit.estimators.resume.describe`.
    seed : int
        Seed of all its random generators.
    steps : int
        Steps taken by the optimizer.
    before : list of float
        Loss curve of the fits before, from which this one went on.
    epochs : list of Epoch
    generators : dict of dict
        States of the random generators, by name.
    vectors : dict of arrays
        Vectors that steps change, by name.
    best : array or None
        Weights with the best score on validation samples.
    weights : dict of arrays
        Weights for prediction, by path.
    """

    fit: dict
    seed: int
    steps: int
    before: list
    epochs: list
    generators: dict
    vectors: dict
    best: np.ndarray | None
    weights: dict

    @classmethod
    def of(cls, run, watch, fit=None, seed=0):
        """Return the state of a `Training` and its `Watch`, with the same arrays, not copies."""
        return cls(
            fit=fit,
            seed=seed,
            steps=run.steps,
            before=run.loss_curve[: len(run.loss_curve) - len(watch.epochs)],
            epochs=list(watch.epochs),
            generators={k: rng.bit_generator.state for k, rng in run.generators().items()},
            vectors=run.arrays(),
            best=watch.best,
            weights=dict(run.weights),
        )

    def apply(self, run, watch):
        """Bring a new `Training` and its new `Watch`, of the same fit, to this state."""
        vectors, generators = run.arrays(), run.generators()
        wanted = {name: (array.shape, array.dtype) for name, array in vectors.items()}
        found = {name: (array.shape, array.dtype) for name, array in self.vectors.items()}
        if self.best is not None:
            wanted["best"] = (run.weights.flat.shape, run.weights.flat.dtype)
            found["best"] = (self.best.shape, self.best.dtype)
        _check("vectors", found, wanted)
        for epoch in self.epochs[:1]:
            _check("validated", epoch.validation_loss is not None, watch.validation is not None)
            _check("scores", sorted(epoch.scores), sorted(watch.score_names))
        _check("generators", sorted(self.generators), sorted(generators))
        for name, array in self.vectors.items():
            fill(vectors[name], array)
        for name, state in self.generators.items():
            try:
                _check_generator(state)
                generators[name].bit_generator.state = state
            except (AttributeError, ValueError, TypeError, KeyError, OverflowError) as error:
                raise ModelFormatError(
                    f"Checkpoint: generators must have sound states, got: {error}"
                ) from None
        losses = self.before + [epoch.loss for epoch in self.epochs]
        run.resume(self.steps, losses, self.epochs)
        watch.resume(self.epochs, self.best)

    def copy(self):
        """Return a copy of the state, which shares no vectors."""
        vectors = {name: np.empty_like(array) for name, array in self.vectors.items()}
        for name, array in self.vectors.items():
            fill(vectors[name], array)
        return replace(self, vectors=vectors)


def check_length(max_iter, before, named=0):
    """Raise a ValueError if there are too many epochs for a file, or too many `before`.

    `named` is the number of scores of an epoch that have names.
    """
    if max_iter * named > MOST_SCORES:
        raise ValueError(
            f"Checkpoint: scores must be at most {MOST_SCORES}, got {named} of {max_iter} epochs."
        )
    for name, count, most in (("max_iter", max_iter, "epochs"), ("loss_curve_", before, "before")):
        if count > MOST[most]:
            raise ValueError(f"Checkpoint: {name} must be at most {MOST[most]}, got {count}.")


def write(path, state):
    """Write a state to a file, which is replaced whole or not at all."""
    arrays = {WEIGHT + name: array for name, array in state.weights.items()}
    arrays |= {VECTOR + name: array for name, array in state.vectors.items()}
    if state.best is not None:
        arrays["best"] = state.best
    arrays["before"] = np.array(state.before, np.float64)
    arrays["epochs"] = np.array(
        [[getattr(epoch, name) for name in FIGURES] for epoch in state.epochs], np.float64
    )
    for name in state.epochs[0].named or ():
        arrays[SCORE + name] = np.array([epoch.named[name] for epoch in state.epochs], np.float64)
    data = {name: getattr(state, name) for name in PARTS if name != "validated"}
    data["validated"] = state.epochs[0].validation_loss is not None
    tensors.write(path, arrays, data, FORMAT, "Checkpoint")


def read(path):
    """Return the state in a file; anything wrong with it is a ModelFormatError."""
    with tensors.reading(path, FORMAT, PARTS, "Checkpoint") as (data, file):
        for name, most in MOST.items():
            shape = file.shapes.get(name, ())
            if shape[:1] > (most,):
                raise ModelFormatError(
                    f"Checkpoint: {name} must be at most {most}, got shape {shape}."
                )
        arrays = {name: file.read(name) for name in file.names}
        for name in ("seed", "steps"):
            if not isinstance(data[name], int) or not 0 <= data[name] < 1 << 63:
                raise ModelFormatError(
                    f"Checkpoint: {name} must be a count, got {short(data[name])}."
                )
        for name in ("fit", "generators"):
            if not isinstance(data[name], dict):
                raise ModelFormatError(f"Checkpoint: {name} must be an object.")
        for name, array in arrays.items():
            if name.startswith(WEIGHT) or name in FINITE:
                _check_finite(name, array)
        before, epochs = (arrays.get(name, np.empty(0, bool)) for name in ("before", "epochs"))
        if before.dtype != np.float64 or before.ndim != 1:
            raise ModelFormatError("Checkpoint: before must be a tensor of losses.")
        if epochs.dtype != np.float64 or epochs.ndim != 2 or epochs.shape[1] != len(FIGURES):
            raise ModelFormatError(f"Checkpoint: epochs must be a tensor of rows of {FIGURES}.")
        numbers = np.arange(len(before) + 1, len(before) + len(epochs) + 1)
        for name in ("loss", "seconds"):
            _check_finite(name, epochs[:, FIGURES.index(name)])
        if not len(epochs) or not np.array_equal(epochs[:, 0], numbers):
            raise ModelFormatError("Checkpoint: epochs must follow one another.")
        scores = _starting(arrays, SCORE)
        if len(scores) * len(epochs) > MOST_SCORES:
            raise ModelFormatError(
                f"Checkpoint: scores must be at most {MOST_SCORES}, got {len(scores)} of "
                f"{len(epochs)} epochs."
            )
        for name, array in scores.items():
            if array.dtype != np.float64 or array.shape != (len(epochs),):
                raise ModelFormatError(f"Checkpoint: {name} must be a number for every epoch.")
        return State(
            **{name: data[name] for name in PARTS if name != "validated"},
            before=before.tolist(),
            epochs=[
                _epoch(
                    figures, data["validated"], {name: float(scores[name][i]) for name in scores}
                )
                for i, figures in enumerate(map(np.ndarray.tolist, epochs))
            ],
            vectors=_starting(arrays, VECTOR),
            best=arrays.get("best"),
            weights=_starting(arrays, WEIGHT),
        )


def read_weights(path):
    """Return only the weights in a file, as a dict of arrays by path."""
    with tensors.reading(path, FORMAT, PARTS, "Checkpoint") as (_, file):
        found = {name: file.read(name) for name in file.names if name.startswith(WEIGHT)}
        for name, array in found.items():
            _check_finite(name, array)
        return _starting(found, WEIGHT)


def _epoch(figures, validated, scores):
    """Return an epoch from its figures and its scores by name."""
    found = dict(zip(FIGURES, figures, strict=True))
    if isnan(found["learning_rate"]):  # L-BFGS has none
        found["learning_rate"] = None
    if not validated:
        found |= dict.fromkeys(VALIDATED)
    return Epoch(**found | {"number": int(found["number"]), "named": scores or None})


def _starting(arrays, prefix):
    """Return the arrays whose names start with a prefix, by the rest of the name."""
    return {k.removeprefix(prefix): array for k, array in arrays.items() if k.startswith(prefix)}


def _check_generator(state):
    """Raise if a number is below zero: NumPy before 2.0 would accept it as another number."""
    for value in state.values():
        if isinstance(value, dict):
            _check_generator(value)
        elif isinstance(value, int) and value < 0:
            raise ValueError(f"{short(value)} is below zero")


def _check_finite(name, array):
    if array.dtype.kind != "f" or not np.isfinite(extremes(array)).all():
        raise ModelFormatError(f"Checkpoint: {name} must be finite numbers.")


def _check(name, found, wanted):
    if found != wanted:
        raise ModelFormatError(f"Checkpoint: {name} must be {wanted}, got {short(found)}.")
