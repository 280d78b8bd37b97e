"""The values of "auto": rules that depend on the data and the network alone.

docs/guides/defaults.md says how the rules were chosen, and on which data.
"""

from dataclasses import dataclass
from math import ceil

from cnnkit.layers import BatchNorm
from cnnkit.layers.composite import Resolved
from cnnkit.schedules import Constant, OneCycle, Schedule, is_planned

FEW = 64  # fewer samples than these train as long as these
BATCHES = ((200, 8), (600, 16))  # (samples, batch): below so many images, batches of so many
BATCH = 32
STREAM_BATCH = 32  # batch size of partial_fit
EPOCHS = {  # epochs for 1,000 samples, exponent of their growth for fewer, and the least
    "images": (12, 0.75, 10),
    "table": (30, 0.5, 4),
}
ITERATIONS = 200  # iterations of L-BFGS
RATES = (1e-4, 1e-2)  # least and most of learning_rate_init
SGD_FACTOR = 5  # with batch norms the rates of SGD are larger than those of Adam
NORMALISED_FACTOR = 5  # a batch norm after a layer allows larger steps
STREAM_FACTOR = 0.3  # a constant rate must be lower than the peak of a schedule
DECAYS = (0.01, 1.0)  # least and most of AdamW's decay


@dataclass(frozen=True)
class Settings:
    """The hyper-parameters of one fit, with numbers in the place of "auto".

    Attributes
    ----------
    graph : Resolved
        The estimator's graph, resolved for the shape of the images and the number of outputs.
    batch_size, epochs : int
    learning_rate_init, alpha : float
    schedule : Schedule
    full_batch : bool
        Whether a step uses all samples; the learning rate then has no meaning.
    """

    graph: Resolved
    batch_size: int
    epochs: int
    learning_rate_init: float
    alpha: float
    schedule: Schedule
    full_batch: bool = False

    def __str__(self):
        if self.full_batch:
            return f"at most {self.epochs} iterations over all samples, alpha {self.alpha:.3g}"
        length = "1 epoch" if self.epochs == 1 else f"{self.epochs} epochs"
        return (
            f"{length} in batches of {self.batch_size}, {self.schedule!r} of "
            f"{self.learning_rate_init:.3g}, alpha {self.alpha:.3g}"
        )


def settle(estimator, graph, count, *, part=False):
    """Return the `Settings` of a fit, or of a `part` of a stream.

    Parameters
    ----------
    estimator : CNNClassifier or CNNRegressor
        Its hyper-parameters that are not "auto" are kept.
    graph : Resolved
    count : int
        Number of samples that training uses.
    part : bool, default=False
        Whether `partial_fit` trains, which does not know how many samples there will be.
    """
    table = graph.input_shape[:2] == (1, 1)
    rules = {
        "batch_size": lambda: STREAM_BATCH if part else batch_size(count, table),
        "max_iter": lambda: (
            ITERATIONS
            if estimator.solver == "lbfgs"
            else epochs(count, table) * (1 if table else estimator._longer)
        ),
        "alpha": lambda: decay(count, table) if estimator.solver == "adamw" else 1e-4,
        "learning_rate_init": lambda: rate(graph, estimator.solver, part, estimator._faster),
        "learning_rate": lambda: Constant() if part else OneCycle(),
    }
    found = {
        name: rule() if is_auto(getattr(estimator, name)) else getattr(estimator, name)
        for name, rule in rules.items()
    }
    schedule = found["learning_rate"]
    if part and is_planned(schedule):
        raise ValueError(
            f"{type(estimator).__name__}: learning_rate must be 'auto', 'constant' or a schedule "
            f"without an end for partial_fit, which does not know when training ends, got "
            f"{schedule!r}."
        )
    return Settings(
        graph=graph,
        batch_size=found["batch_size"] if part else min(found["batch_size"], count),
        epochs=found["max_iter"],
        learning_rate_init=found["learning_rate_init"],
        alpha=found["alpha"],
        full_batch=estimator.solver == "lbfgs",
        schedule=Constant() if schedule == "constant" else schedule,
    )


def is_auto(value):
    """Say whether a hyper-parameter is left to the rules."""
    return isinstance(value, str) and value == "auto"


def batch_size(count, table=False):
    """Return the samples of a batch: 8, 16 or 32, so that an epoch's last batch is hardly smaller.

    A table has batches of 64 rows, however few rows there are.
    """
    size = FEW if table else next((size for most, size in BATCHES if count < most), BATCH)
    return ceil(count / ceil(count / size))


def epochs(count, table=False):
    """Return the number of epochs for `count` samples: fewer epochs for more samples."""
    per_thousand, power, fewest = EPOCHS["table" if table else "images"]
    return max(fewest, round(per_thousand * (1000 / max(count, FEW)) ** power))


def decay(count, table=False):
    """Return `alpha` for "adamw": 0.01; for a table 100 / samples, from 0.01 to 1."""
    least, most = DECAYS
    return min(max(100 / count, least), most) if table else least


def rate(graph, solver, part=False, factor=1):
    """Return `learning_rate_init`, from 1e-4 to 1e-2: the largest rate that suits every layer.

    A step of Adam changes every weight by about the rate, and so the output of a layer by about
    rate times fan-in. The bound of a layer is therefore 1 / fan-in, or 5 / fan-in if a batch norm
    follows, which rescales the output. With batch norms it is `factor` times as large, and the rate
    of SGD 5 times that. The constant rate of a stream is 0.3 times as large.
    """
    normalised = {
        path for node in graph.nodes if isinstance(node.layer, BatchNorm) for path in node.inputs
    }
    bounds = [
        (NORMALISED_FACTOR if path in normalised else 1) / spec.fan_in
        for path, specs in graph.specs.items()
        for spec in specs.values()
        if spec.fan_in
    ]
    least, most = RATES
    factor = factor if normalised else 1
    found = min(max(factor * min(bounds, default=most), least), most)
    if solver == "sgd" and normalised:
        found *= SGD_FACTOR
    return found * STREAM_FACTOR if part else found
