"""What "auto" stands for: rules that follow the data and the network, and nothing else.

docs/defaults.md says how they were chosen, and on which data.
"""

from dataclasses import dataclass
from math import ceil

from cnnkit.layers import BatchNorm
from cnnkit.layers.composite import Resolved
from cnnkit.schedules import Constant, OneCycle, Schedule, is_planned

FEW = 64  # samples: fewer train as long as these
BATCHES = ((200, 8), (600, 16))  # below so many samples of images, batches of so many
BATCH = 32
STREAM_BATCH = 32  # of partial_fit
EPOCHS = {  # for 1,000 samples, how fast they grow for fewer, and the fewest
    "images": (12, 0.75, 10),
    "table": (30, 0.5, 4),
}
ITERATIONS = 200  # of L-BFGS
RATES = (1e-4, 1e-2)  # least and most of learning_rate_init
SGD_FACTOR = 5  # with batch norms its rates are larger than Adam's
NORMALISED_FACTOR = 5  # where a batch norm follows a layer, a step may change more of it
STREAM_FACTOR = 0.3  # a rate that never falls must be lower than the peak of one that does
DECAYS = (0.01, 1.0)  # least and most of AdamW's


@dataclass(frozen=True)
class Settings:
    """The hyper-parameters of one fit, none of them "auto" any more.

    Attributes
    ----------
    graph : Resolved
        The estimator's own graph, for the images and the outputs there are.
    batch_size, epochs : int
    learning_rate_init, alpha : float
    schedule : Schedule
    full_batch : bool
        Whether a step is over all samples, and the learning rate means nothing.
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
        What it sets stays as it is.
    graph : Resolved
    count : int
        Samples that training uses.
    part : bool, default=False
        Whether it is `partial_fit` that trains, which does not know how many there will be.
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
        "learning_rate_init": lambda: rate(graph, estimator.solver, part),
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
    """Return the samples of a batch: 8, 16 or 32, and hardly less in the last batch of an epoch.

    A table's rows come 64 at a time however few they are.
    """
    size = FEW if table else next((size for most, size in BATCHES if count < most), BATCH)
    return ceil(count / ceil(count / size))


def epochs(count, table=False):
    """Return the epochs for so many samples: the more of them, the fewer."""
    per_thousand, power, fewest = EPOCHS["table" if table else "images"]
    return max(fewest, round(per_thousand * (1000 / max(count, FEW)) ** power))


def decay(count, table=False):
    """Return `alpha` for "adamw": 0.01; for a table 100 / samples, from 0.01 to 1."""
    least, most = DECAYS
    return min(max(100 / count, least), most) if table else least


def rate(graph, solver, part=False):
    """Return `learning_rate_init`, from 1e-4 to 1e-2: as large as every layer of a graph bears.

    A step of Adam changes every weight by about the rate, and so the output of a layer by about
    rate times fan-in: 1 / fan-in is the bound, and 5 / fan-in where a batch norm follows, which
    takes away what is too much. With batch norms SGD's rate is 5 times as large; that of a stream,
    which stays as it is, 0.3 times.
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
    found = min(max(min(bounds, default=most), least), most)
    if solver == "sgd" and normalised:
        found *= SGD_FACTOR
    return found * STREAM_FACTOR if part else found
