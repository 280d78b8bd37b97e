"""Typical uses of cnnkit, which ``make lint`` checks: mypy must accept all of them.

Nothing here runs. A line with ``# type: ignore`` must be an error: mypy reports it if it is none.
"""

from pathlib import Path
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GridSearchCV

from cnnkit import (
    Add,
    AvgPool,
    BatchNorm,
    CNNClassifier,
    CNNFeatures,
    CNNImageRegressor,
    CNNRegressor,
    CNNSegmenter,
    Concat,
    Conv,
    Conv1x1,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Graph,
    Input,
    Layer,
    LeakyReLU,
    MaxPool,
    Multiply,
    Network,
    Pad,
    ReLU,
    Reshape,
    Residual,
    Sequential,
    UpSample,
    augmentation,
    blocks,
    fc_head,
    functional,
    gap_head,
    load,
    lr_find,
    metrics,
    models,
    num_threads,
    onnx,
    save,
    schedules,
    set_num_threads,
    show_versions,
)
from cnnkit.callbacks import Callback, Checkpoint, CSVLog, Timer
from cnnkit.data import ImageReader, LazyArray, load_image_folder, load_image_stack
from cnnkit.display import (
    ArchitectureDisplay,
    ClassActivationDisplay,
    LearningRateDisplay,
    LossCurveDisplay,
    MisclassifiedDisplay,
)
from cnnkit.estimators.lr_find import RateRange
from cnnkit.exceptions import DivergenceError, ModelFormatError
from cnnkit.graph import Symbol
from cnnkit.graph.summary import Summary
from cnnkit.layers import Op, Slots, WeightSpec, check_gradients
from cnnkit.losses import Loss, check_gradient
from cnnkit.training.stopping import Epoch
from cnnkit.typing import Array, Branches, Estimator, Floats, Layers, Padding, Shape

X = np.zeros((100, 8, 8, 1), np.uint8)
y = np.zeros(100, int)


def estimators() -> None:
    clf = CNNClassifier(random_state=0).fit(X, y)
    assert_type(clf, CNNClassifier)
    assert_type(clf.predict(X), Array)
    assert_type(clf.predict_proba(X), Floats)
    assert_type(clf.score(X, y), float)
    assert_type(clf.summary(), Summary)
    assert_type(clf.network_.weights["conv1/w"], Array)
    assert_type(clf.loss_curve_, list[float])
    assert_type(clf.get_params(), dict[str, Any])
    assert_type(clf.set_params(max_iter=3), CNNClassifier)
    clf.fit([[0.0], [1.0]], ["no", "yes"], sample_weight=[1, 2], X_val=X, y_val=y)
    clf.fit(X, y, groups=["a", "a", "b"])
    assert_type(clf.score_curves_, dict[str, list[float]] | None)
    clf.partial_fit(X, y, classes=[0, 1]).decision_function([[0.5]])
    reg = CNNRegressor("resnet18", image_shape=(28, 28), loss="huber", max_iter=5, alpha=0.1)
    assert_type(reg.fit(X, y / 2).predict(X), Floats)
    features = CNNFeatures(clf, node="relu1").fit(X, y)
    assert_type(features.transform(X), Floats)
    assert_type(features.fit_transform(X, y), Floats)
    settings: dict[str, list[Any]] = {"conv1__filters": [8, 16], "alpha": [0.1, "auto"]}
    GridSearchCV(clf, settings, cv=3).fit(X, y).predict(X)
    assert_type(lr_find(clf, X, y), RateRange)


def images_to_images() -> None:
    masks = np.zeros((20, 8, 8), int)
    seg = CNNSegmenter("unet", ignore_label=255, class_weight="balanced")
    assert_type(seg.fit(X, masks, X_val=X, y_val=masks), CNNSegmenter)
    assert_type(seg.partial_fit(X, masks, classes=[0, 1]), CNNSegmenter)
    assert_type(seg.predict_proba(X), Floats)
    assert_type(seg.score(X, masks), float)
    assert_type(CNNImageRegressor().fit(X, X).predict(X), Floats)
    metrics.mean_iou(masks, seg.predict(X), ignore_label=255)
    models.unet(3, (64, 64), depth=3, norm=True)
    models.fcn(3, stride=16)
    CNNSegmenter(models.fcn)
    CNNSegmenter(ignore_label=0.5)  # type: ignore[arg-type]


def options() -> None:
    CNNClassifier(
        models.lenet5,
        image_shape=[8, 8],
        solver="sgd",
        batch_size=32,
        learning_rate=schedules.Cosine(warmup_epochs=1),
        learning_rate_init="auto",
        random_state=np.random.RandomState(0),
        initial_weights={"conv1/w": np.zeros((3, 3, 1, 8))},
        frozen=["conv1"],
        augmentation=[augmentation.Flip(), augmentation.Shift((1, 2), fill="edge")],
        class_weight={0: 1.0, 1: 2.0},
        early_stopping=True,
        scoring={"f1": "f1_macro", "own": lambda estimator, X, y: float(estimator.score(X, y))},
        return_train_score=True,
        verbose=1,
    )
    CNNClassifier(loss="focal", class_weight=[{0: 1, 1: 5}, {1: 2.0}], scoring=["f1", "roc_auc"])
    CNNRegressor(loss="quantile", quantile=0.9, scoring="neg_mean_absolute_error")
    CNNClassifier(scoring=3)  # type: ignore[arg-type]
    CNNClassifier(solver="rmsprop")  # type: ignore[arg-type]
    CNNClassifier(max_iter="many")  # type: ignore[arg-type]
    CNNClassifier(iterations=10)  # type: ignore[call-arg]
    CNNClassifier(3)  # type: ignore[arg-type]
    CNNRegressor(loss="log_loss")  # type: ignore[arg-type]


def networks() -> None:
    same: Padding = "same"
    layers: Layers = [
        ("first", Conv(16, (3, 5), stride=2, padding=same)),
        BatchNorm(),
        ReLU(),
        "passthrough",
        MaxPool(2, ceil_mode=True),
        Pad(((0, 1), (0, 1))),
        Residual([Conv(16, 3), ReLU()], shortcut=Conv1x1(16)),
        Add([Conv(16), None]),
        Concat([("a", [("narrow", Conv1x1(8)), ReLU()]), ("b", Conv(8, 3))]),
        DepthwiseConv(3, padding=((0, 1), (0, 1))),
        UpSample(2, method="bilinear"),
        AvgPool(3, stride=1, padding="same"),
        LeakyReLU(0.1),
        Dropout(0.2),
        blocks.inception(64),
    ]
    net = Sequential([*layers, gap_head(8), Reshape((-1,)), Flatten(), Dense()])
    assert_type(net.output_shape((28, 28, 1)), Any)  # several outputs have several shapes
    assert_type(Conv(8).output_shape((28, 28, 1)), Shape)
    branches: Branches = [[Conv1x1(8), ReLU()], Conv(8, 3)]
    Concat(branches)
    plain = [Conv(8), ReLU(), GlobalAvgPool()]
    CNNClassifier(plain)
    Sequential(plain).to_json(indent=2)
    assert_type(Sequential.from_json("{}"), Sequential)
    Conv("16")  # type: ignore[arg-type]
    Conv(16, padding="full")  # type: ignore[arg-type]
    Conv(16, strides=2)  # type: ignore[call-arg]
    MaxPool((2, 2, 2))  # type: ignore[arg-type]
    ReLU(0.1)  # type: ignore[call-arg]
    Sequential(Conv(8))  # type: ignore[arg-type]
    Sequential([Conv(8), "relu"])  # type: ignore[list-item]


def graphs() -> None:
    x = Input((28, 28, 1))
    h = ReLU()(Conv(8, name_of_nothing=1)(x))  # type: ignore[call-arg]
    scaled = Multiply()(h, blocks.channel_attention(8)(h), name="scaled")
    assert_type(scaled, Symbol)
    out = fc_head(32, dropout=0.5)(blocks.feature_pyramid([scaled])[0])
    graph = Graph.from_outputs(out)
    Graph([("conv", Conv(8), "input"), ("sum", Add(), ("input", "conv"))], outputs="sum")
    graph.to_dot((28, 28, 1))
    Add()(h, "scaled")  # type: ignore[type-var]
    network = Network(graph, (28, 28, 1), 10, batch_size=4, dtype=np.float64, training=True)
    network.weights.initialise(np.random.default_rng(0))
    assert_type(network.forward(network.load(X, slice(4))), Floats)
    network.backward(4)
    assert_type(network.activations(X, ["conv1"])["conv1"], Floats)
    network.resized(1, packed=True).forward("all")  # type: ignore[arg-type]


def functions() -> None:
    w = np.zeros((3, 3, 1, 8))
    out = functional.conv2d(X, w, stride=(1, 2), padding="same", algorithm="im2col")
    assert_type(out, Floats)
    assert_type(functional.conv2d_backward(out, X, w), tuple[Floats, Floats, Floats])
    functional.max_pool2d([[[[1.0]]]], 1)
    assert_type(functional.softmax_cross_entropy(np.zeros((3, 2)), [0, 1, 0]), float)
    functional.conv2d(X, w, data_format="NCHW")  # type: ignore[arg-type]
    set_num_threads(max(1, num_threads() - 1))
    set_num_threads("all")  # type: ignore[arg-type]
    show_versions()


def files(clf: CNNClassifier) -> None:
    save(clf, "digits.cnnkit")
    save(3, "three.cnnkit")  # type: ignore[arg-type]
    onnx.write(clf, "digits.onnx", data_format="channels_first", input_dtype=np.uint8)
    onnx.write(clf.network_, "digits.onnx", output="proba")  # type: ignore[arg-type]
    try:
        loaded = load("digits.cnnkit")
    except (ModelFormatError, DivergenceError):
        return
    assert_type(loaded, CNNClassifier | CNNRegressor | CNNSegmenter | CNNFeatures)


class StopAt(Callback):
    def __init__(self, loss: float) -> None:
        self.loss = loss

    def on_epoch_end(self, estimator: Estimator, epoch: Epoch) -> bool:
        return epoch.loss < self.loss


def callbacks(clf: CNNClassifier) -> None:
    checkpoint = Checkpoint("digits.checkpoint", monitor="validation_score", resume=True)
    assert_type(
        clf.set_callbacks(checkpoint, CSVLog("log.csv"), Timer(), StopAt(0.1)), CNNClassifier
    )
    clf.fit(X, y).set_params(initial_weights=checkpoint.weights())
    Checkpoint("digits.checkpoint", monitor="accuracy")  # type: ignore[arg-type]


class Scale(Layer):
    """A layer of one's own: a factor for every channel."""

    keeps_input = True

    def __init__(self, start: float = 1.0) -> None:
        self.start = start

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def weight_specs(self, input_shape: Shape) -> dict[str, WeightSpec]:
        return {"w": WeightSpec(input_shape[-1:], start=self.start)}

    def bind(self, slots: Slots) -> Op:
        return ScaleOp(slots)


class ScaleOp(Op):
    def __init__(self, slots: Slots) -> None:
        self.slots = slots

    def forward(self, n: int) -> None:
        np.multiply(self.slots.x[:n], self.slots.weights["w"], out=self.slots.y[:n])


class LogCosh(Loss):
    """A loss of one's own."""

    def loss_gradient(self, outputs: Floats, targets: Floats) -> tuple[Floats, Floats]:
        residual = outputs - targets
        return np.logaddexp(residual, -residual) - np.log(2), np.tanh(residual)


class Halving(schedules.Schedule):
    """A schedule of one's own."""

    def multiplier(self, step: int, run: schedules.Run) -> float:
        return 0.5 ** (step // run.steps_per_epoch)


class Brightness(augmentation.Augmentation):
    """An augmentation of one's own."""

    def change(self, images: Floats, targets: Floats | None, rng: np.random.Generator) -> None:
        images *= rng.uniform(0.8, 1.2, (len(images), 1, 1, 1)).astype(images.dtype)


def own() -> None:
    check_gradients(Scale(), (4, 4, 2))
    check_gradient(LogCosh(), np.zeros((2, 1)), [[1.0], [2.0]])
    CNNRegressor(
        [Scale(2.0), Flatten(), Dense()],
        loss=LogCosh(),
        learning_rate=Halving(),
        augmentation=Brightness(),
    )
    Scale("2")  # type: ignore[arg-type]
    CNNRegressor(loss=LogCosh)  # type: ignore[arg-type]


def data_in_files(clf: CNNClassifier, path: Path) -> None:
    photos = load_image_folder(path, size=(96, 96), fit="crop", cache="memory")
    clf.fit(photos.data, photos.target).predict(photos.data)
    lazy = LazyArray(np.load(path, mmap_mode="r"), n_jobs=2)
    assert_type(clf.predict_proba(lazy), Floats)
    assert_type(lazy.read(slice(0, 5)), NDArray[Any])
    assert_type(load_image_stack([path], mode="I;16"), LazyArray)
    assert_type(ImageReader("path", size=64).transform([path]), LazyArray)
    clf.fit(lambda: iter([(X, y)]), steps_per_epoch=1, X_val=lazy, y_val=y)
    load_image_folder(path, mode="CMYK")  # type: ignore[arg-type]


def displays(clf: CNNClassifier, labels: NDArray[np.str_]) -> None:
    LossCurveDisplay.from_estimator(clf, color="red").figure_.savefig("loss.png")
    ArchitectureDisplay(clf.network_.graph, (8, 8, 1), n_outputs=10).plot()
    assert_type(MisclassifiedDisplay.from_estimator(clf, X, labels), MisclassifiedDisplay)
    ClassActivationDisplay.from_estimator(clf, X[:6], y[:6], node="relu1").plot(columns=3)
    LearningRateDisplay.from_estimator(clf, X, y, low=1e-4).plot(None)
    ArchitectureDisplay(3)  # type: ignore[arg-type]
    LossCurveDisplay.from_estimator()  # type: ignore[call-arg]
