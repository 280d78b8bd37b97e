"""Graphs of several named inputs."""

import pickle

import numpy as np
import pytest
from seeded import generator
from sklearn.base import clone

from cnnkit import (
    Add,
    CNNClassifier,
    CNNRegressor,
    Concat,
    Conv,
    Conv1x1,
    Dense,
    GlobalAvgPool,
    Graph,
    Input,
    Network,
    ReLU,
    Sequential,
    save,
)
from cnnkit.blocks import feature_pyramid
from cnnkit.display import plot_graph
from cnnkit.io import ModelFormatError

SHAPES = {"image": (6, 5, 3), "depth": (6, 5, 1)}


def two_eyed():
    image, depth = Input(name="image"), Input(name="depth")
    both = Concat()(ReLU()(Conv(4)(image)), Conv(2)(depth))
    return Graph.from_outputs(Dense(3)(GlobalAvgPool()(both)), [image, depth])


def drawn(n=5, shapes=SHAPES, seed=0):
    rng = generator(seed)
    return {name: rng.standard_normal((n, *shape)) for name, shape in shapes.items()}


def bound(graph=None, shapes=SHAPES, training=False, dtype=np.float64):
    graph = two_eyed() if graph is None else graph
    network = Network(graph, shapes, 3, batch_size=5, dtype=dtype, training=training)
    network.weights.initialise(generator(1))
    return network


def test_names_and_order():
    graph = two_eyed()
    assert graph.input_names == ["image", "depth"]
    assert graph.inputs_read() == ("image", "depth")
    assert graph.nodes[0][2] == ("image",)
    assert Sequential([ReLU()]).inputs_read() == ("input",)
    a, b = Input(name="a"), Input(name="b")
    assert Graph.from_outputs(Add()(b, a)).input_names == ["b", "a"]
    assert Graph.from_outputs(Add()(b, a), [a, b]).input_names == ["a", "b"]
    assert Graph.from_outputs(ReLU()(a)) == Graph.from_outputs(ReLU()(Input()))


def test_the_network_is_that_of_its_parts():
    network, X = bound(), drawn()
    assert list(network.xs) == ["image", "depth"]
    assert network.x is network.xs["image"]
    assert network.input_shape == SHAPES
    assert network.load(X, slice(0, 5)) == 5
    got = network.forward(5).copy()
    alone = {}
    for name, layers in (("image", [("conv1", Conv(4)), ReLU()]), ("depth", [("conv2", Conv(2))])):
        part = Network(Sequential(layers), SHAPES[name], 3, batch_size=5, dtype=np.float64)
        for path in part.weights:
            part.weights[path] = network.weights[path]
        part.load(X[name], slice(0, 5))
        alone[name] = part.forward(5).mean(axis=(1, 2))
    features = np.concatenate([alone["image"], alone["depth"]], axis=1)
    want = features @ network.weights["dense1/w"] + network.weights["dense1/b"]
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_gradients():
    network, X = bound(training=True), drawn()
    rng = generator(2)
    network.load(X, np.arange(5))
    dy = rng.standard_normal(network.output.shape)
    network.forward(5)
    network.doutput[:] = dy
    network.backward(5)
    grads, weights = network.grads.flat.copy(), network.weights.flat
    direction, step = rng.standard_normal(weights.shape), 1e-6
    values = []
    for sign in (1, -1):
        weights += sign * step * direction
        network.load(X, np.arange(5))
        values.append(np.vdot(network.forward(5), dy))
        weights -= sign * step * direction
    np.testing.assert_allclose(
        grads @ direction, (values[0] - values[1]) / (2 * step), rtol=1e-5, atol=1e-7
    )


def test_activations_in_any_dtype_and_in_batches():
    network = bound()
    X = {name: (100 * x).astype("uint8") for name, x in drawn(70).items()}
    found = network.activations(X, ["conv1", "dense1"])
    assert found["conv1"].shape == (70, 6, 5, 4)
    network.load(X, slice(65, 70))
    assert network.forward(5).tolist() == found["dense1"][65:].tolist()
    flat = {name: x.reshape(70, -1) for name, x in X.items()}
    assert (network.activations(flat, "dense1")["dense1"] == found["dense1"]).all()
    assert network.activations(X, "conv2")["conv2"].shape == (70, 6, 5, 2)  # "image" unread


def test_an_image_and_a_row_of_numbers():
    image, numbers = Input((6, 5, 3), name="image"), Input((4,), name="numbers")
    y = Dense(3)(Concat()(GlobalAvgPool()(image), numbers))
    shapes = {"image": (6, 5, 3), "numbers": (4,)}
    network = bound(Graph.from_outputs(y, [image, numbers]), shapes)
    X = drawn(shapes=shapes)
    found = network.activations(X, "dense1")["dense1"]
    joined = np.concatenate([X["image"].mean(axis=(1, 2)), X["numbers"]], axis=1)
    np.testing.assert_allclose(found, joined @ network.weights["dense1/w"], rtol=1e-10)
    with pytest.raises(ValueError, match=r"X\['numbers'\] must hold images of shape \(4,\)"):
        network.activations(X | {"numbers": X["numbers"][:, :3]}, "dense1")
    with pytest.raises(ValueError, match=r"Network: X\['numbers'\] must hold images of .* \(4,\)"):
        network.activations(X | {"numbers": X["numbers"][0]}, "dense1")


def test_the_pyramid_over_four_maps():
    inputs = [Input((32 >> i, 24 >> i, 2 << i), name=f"C{i + 2}") for i in range(4)]
    maps = feature_pyramid(inputs, 5)
    assert [symbol.shape for symbol in maps] == [(32 >> i, 24 >> i, 5) for i in range(4)]
    graph = Graph.from_outputs(maps, inputs)
    assert graph.input_names == ["C2", "C3", "C4", "C5"]
    shapes = {symbol.name: symbol.shape for symbol in inputs}
    network = bound(graph, shapes, training=True)
    X = drawn(shapes=shapes)
    network.load(X, slice(0, 5))
    first = network.forward(5).copy()
    assert [output.shape[1:] for output in network.outputs] == [s.shape for s in maps]
    X["C5"] = X["C5"] + 1  # what the smallest map knows reaches the largest
    network.load(X, slice(0, 5))
    assert (network.forward(5) != first).any(axis=(1, 2, 3)).all()


def test_plain_data():
    graph = two_eyed()
    assert clone(graph) == graph
    assert Graph.from_json(graph.to_json()) == graph
    assert eval(repr(graph)) == graph
    assert graph.get_params()["conv1__filters"] == 4
    assert graph.set_params(conv1__filters=7).output_shape(SHAPES) == (3,)
    network = bound()
    again = pickle.loads(pickle.dumps(network))
    assert (again.input_shape, list(again.xs)) == (SHAPES, ["image", "depth"])
    assert (again.weights.flat == network.weights.flat).all()


def test_text_and_drawings():
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    graph = two_eyed()
    for text in (str(graph.summary(SHAPES)), str(bound().summary())):
        assert "image" in text
        assert "depth" in text
    dot = graph.to_dot(SHAPES)
    assert '"depth" [label="Input\\ndepth, 6 x 5 x 1"' in dot
    assert '"image" -> "conv1"' in dot
    labels = [text.get_text() for text in plot_graph(graph, SHAPES, ax=Figure().subplots()).texts]
    assert any("depth" in label for label in labels)


NODES = [("sum", Add(), ("a", "b"))]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Graph(NODES, None, ["a"]), r"input_names must be at least two .* got \['a'\]"),
        (lambda: Graph(NODES, None, ["a", "a"]), "input_names must be at least two different"),
        (lambda: Graph(NODES, None, ["a", "b/c"]), "without '/'"),
        (lambda: Graph(NODES, None, "ab"), "input_names must be at least two"),
        (lambda: Graph(NODES, None, ["a", ["b"]]), "input_names must be at least two"),
        (lambda: Graph(NODES, None, ["a", "c"]), r"must read nodes of \['a', 'c', 'sum'\]"),
        (
            lambda: Graph(NODES, None, ["a", "b", "c"]),
            r"every input must be read .* \['c'\] unread",
        ),
        (
            lambda: Graph(NODES, None, ["a", "sum"]),
            "names of nodes must be unique, got 'sum' twice",
        ),
        (lambda: Sequential([two_eyed()]), "a nested graph must have one input, got .*'graph1'"),
    ],
)
def test_refused_names(make, message):
    with pytest.raises(ValueError, match=message):
        make().flattened()


def test_refused_inputs():
    a, b = Input(name="a"), Input(name="b")
    y = Add()(a, b)
    for inputs in ([a], [a, b, b], [a, Input(name="b")], a):
        with pytest.raises(ValueError, match="Graph: inputs must be all that the outputs follow"):
            Graph.from_outputs(y, inputs)
    with pytest.raises(TypeError, match="Input: name must be a str, got 3"):
        Input(name=3)


@pytest.mark.parametrize("shape", [(6, 5, 3), {"image": (6, 5, 3)}, SHAPES | {"more": (1,)}, None])
def test_refused_shapes(shape):
    message = r"input shape must be a dict of one for each input of \['image', 'depth'\], got"
    with pytest.raises(ValueError, match=message):
        two_eyed().summary(shape)
    with pytest.raises(ValueError, match=f"^Network: {message}"):
        Network(two_eyed(), shape, 3)
    with pytest.raises(TypeError, match="input shape must be sizes"):
        two_eyed().output_shape({"image": (6, 5, 3), "depth": 5})


def test_refused_arrays():
    network, X = bound(), drawn()
    for given in (X["image"], {"image": X["image"]}, X | {"more": X["image"]}):
        for use in (
            lambda x: network.load(x, slice(0, 5)),
            lambda x: network.activations(x, "conv1"),
        ):
            with pytest.raises(ValueError, match="Network: X must be a dict of an array for each"):
                use(given)
    fewer = X | {"depth": X["depth"][:3]}
    with pytest.raises(ValueError, match=r"X must hold as many of each .*{'image': 5, 'depth': 3}"):
        network.activations(fewer, "conv1")
    with pytest.raises(ValueError, match=r"X must hold as many of each .*'depth': 3"):
        network.load(fewer, slice(0, 5))
    with pytest.raises(ValueError, match=r"Network: X\['depth'\] must hold images of shape"):
        network.activations(X | {"depth": X["image"]}, "conv1")
    with pytest.raises(ValueError, match=r"scales must be \(\) for several inputs"):
        Network(two_eyed(), SHAPES, 3, scales=("input",))


@pytest.mark.parametrize("kind", [CNNClassifier, CNNRegressor])
def test_estimators_say_what_to_do(kind):
    X, y = np.zeros((6, 6, 5, 3)), [0, 1, 2] * 2
    message = rf"^{kind.__name__}: layers must read one input, got \('image', 'depth'\): .*Network"
    with pytest.raises(ValueError, match=message):
        kind(two_eyed(), max_iter=1).fit(X, y)
    with pytest.raises(ValueError, match=message):
        kind(two_eyed(), max_iter=1, solver="lbfgs").fit(X, y)
    nested = [Conv1x1(3), two_eyed()]
    with pytest.raises(ValueError, match="a nested graph must have one input"):
        kind(nested, max_iter=1).fit(X, y)


def test_an_estimator_is_given_no_such_network(tmp_path):
    X, y = drawn(6)["image"], [0, 1, 2] * 2
    clf = CNNClassifier([Conv1x1(None), GlobalAvgPool()], max_iter=1).fit(X, y)
    clf.network_ = bound(dtype=np.float32)
    with pytest.raises(ValueError, match=r"network_ must have one input, got \['image', 'depth'\]"):
        save(clf, tmp_path / "model")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ModelFormatError, match="network_ must have one input"):
        pickle.loads(pickle.dumps(clf))
