"""Models written to ONNX files, and what other programs make of them."""

import numpy as np
import pytest
from scipy.special import erf

from cnnkit import Graph, Network, Sequential, onnx

LOOSE = {"float32": 1e-5, "float64": 1e-9}  # of the largest value

onnx_package = pytest.importorskip("onnx", reason="the extra onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def read(path):
    """Return the model of a file, which the full checker of onnx passes."""
    model = onnx_package.load(path)
    onnx_package.checker.check_model(model, full_check=True)
    return model


def outputs(path, X, threads=1):
    """Return the outputs that ONNX Runtime gives, by name, for arrays by name or for one."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return _by_name(session.get_outputs(), session.run(None, _fed(X)))


def defined(path, X):
    """Return the outputs that the reference of onnx itself gives: the only one with float64."""
    from onnx.reference import ReferenceEvaluator
    from onnx.reference.op_run import OpRun

    class Erf(OpRun):
        """Its own rounds to float32."""

        op_domain = ""

        def _run(self, x):
            return (erf(x),)

    evaluator = ReferenceEvaluator(read(path), new_ops=[Erf])
    return dict(zip(evaluator.output_names, evaluator.run(None, _fed(X)), strict=True))


def _fed(X):
    return X if isinstance(X, dict) else {"input": X}


def _by_name(infos, arrays):
    return {info.name: array for info, array in zip(infos, arrays, strict=True)}


def assert_near(found, wanted, dtype="float32"):
    """Fail unless numbers are those wanted, to the tolerance of a type."""
    assert found.shape == wanted.shape
    largest = max(np.abs(wanted).max(initial=0), np.finfo("float32").tiny)
    assert np.abs(found.astype(float) - wanted).max(initial=0) <= LOOSE[dtype] * largest


def assert_labels(found, classifier, X):
    """Fail unless labels are those predicted, but where the best two are as good as one another."""
    outputs = classifier.decision_function(X)
    if outputs.ndim == 1 or classifier.multilabel_:
        clear = np.abs(outputs) > 1e-4
    else:
        best = np.sort(outputs, axis=1)
        clear = best[:, -1] - best[:, -2] > 1e-4
    assert (found[clear] == classifier.predict(X)[clear]).all()


def network_of(layer, input_shape, rng, dtype="float32", n_outputs=3):
    """Return a network of a layer or graph, with random weights and statistics of batch norms."""
    if isinstance(input_shape, dict) and not isinstance(layer, Graph):
        layer = Graph([("merged", layer, tuple(input_shape))], input_names=list(input_shape))
    graph = layer if isinstance(layer, Graph) else Sequential([layer])
    network = Network(graph, input_shape, n_outputs, dtype=dtype)
    network.weights.initialise(rng)
    for path, spec in network.weights.specs.items():
        if not spec.fan_in:
            low = 0.3 if spec.least == 0 else -1
            network.weights[path] = spec.start + rng.uniform(low, 1, spec.shape) * 0.5
    return network


def images(input_shape, rng, dtype="float32", n=3):
    """Return samples of one input, or of several by name."""
    if isinstance(input_shape, dict):
        return {name: images(shape, rng, dtype, n) for name, shape in input_shape.items()}
    return rng.standard_normal((n, *input_shape)).astype(dtype)


def answers(network, X):
    """Return what the network gives by path of its outputs."""
    n = len(next(iter(X.values())) if isinstance(X, dict) else X)
    network = network.resized(n)
    network.load(X, slice(None))
    network.forward(n)
    paths = network.resolved.outputs
    return {path: array.copy() for path, array in zip(paths, network.outputs, strict=True)}


def check(network, X, path, dtype="float32", data_format="channels_last", **options):
    """Write a network, and compare what it gives with what its file does; return the model."""
    onnx.write(network, path, dtype=dtype, data_format=data_format, **options)
    model = read(path)
    given = {name: _turned(array, data_format) for name, array in _fed(X).items()}
    found = outputs(path, given) if dtype == "float32" else defined(path, given)
    wanted = answers(network, X)
    assert list(found) == list(wanted)
    for name, array in wanted.items():
        assert_near(found[name], _turned(array, data_format), dtype)
    return model


def _turned(array, data_format):
    is_turned = data_format == "channels_first" and array.ndim == 4
    return array.transpose(0, 3, 1, 2) if is_turned else array


def operators(model):
    """Return the operators of a model in order."""
    return [node.op_type for node in model.graph.node]
