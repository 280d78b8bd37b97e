"""Layers and blocks against PyTorch: live where it is installed, and by stored figures.

The figures were made by PyTorch in float64; after a change of a case, make them anew with

    PYTHONPATH=tests/support python tests/reliability/test_torch_agreement.py
"""

from pathlib import Path

import numpy as np
import pytest
import torch_figures
from layer_oracles import bound, sources
from torch_cases import BATCH, CASES, Twin
from torch_figures import FIGURES

SEED = 2024
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}


def setup(case, dtype):
    """The network of a case with weights and sources drawn, and gradients of its outputs."""
    network = bound(
        case.build,
        *case.shapes,
        batch=BATCH,
        dtype=dtype,
        training=case.training,
        seed=SEED,
        draws=np.random.default_rng,  # as the stored figures, whatever the tests' seed
    )
    rng = np.random.default_rng(SEED + 1)
    return network, [rng.standard_normal(y.shape).astype(dtype) for y in network.outputs]


def joined(arrays):
    return np.concatenate([np.ravel(array).astype(np.float64) for array in arrays])


def chosen(network, weights, gradients):
    """Running statistics, and gradients to sources and to other weights, each in one row."""
    specs = network.weights.specs
    running = [path for path in specs if not specs[path].trained]
    own = [path for path in specs if specs[path].trained and not path.endswith("/x")]
    if not network.training:
        return {}
    found = {"dx": joined(sources(gradients))}
    if own:
        found["dw"] = joined(gradients[path] for path in own)
    if running:
        found["running"] = joined(weights[path] for path in running)
    return found


def ours(case, dtype):
    """Output, gradients and running statistics after one step, each in one row."""
    network, dys = setup(case, dtype)
    network.forward(BATCH)
    y = joined(network.outputs)
    if case.training:
        for doutput, dy in zip(network.doutputs, dys, strict=True):
            doutput[...] = dy
        network.backward(BATCH)
    return {"y": y, **chosen(network, network.weights, network.grads)}


def theirs(case, dtype):
    """The same by PyTorch."""
    network, dys = setup(case, dtype)
    twin = Twin(network)
    torch = twin.torch
    xs = [x.permute(0, 3, 1, 2) if x.ndim == 4 else x for x in sources(twin.weights)]
    ys = case.twin(twin, *xs)
    ys = ys if isinstance(ys, list) else [ys]
    ys = [y.permute(0, 2, 3, 1) if y.ndim == 4 else y for y in ys]
    if case.training:
        sum((y * torch.from_numpy(dy)).sum() for y, dy in zip(ys, dys, strict=True)).backward()
    gradients = {path: w.grad for path, w in twin.weights.items()}
    weights = {path: w.detach() for path, w in twin.weights.items()}
    return {"y": joined(y.detach() for y in ys), **chosen(network, weights, gradients)}


def figures(row):
    """Sum, weighted sum and two entries of a row, and what their errors are measured by."""
    weights = np.cos(np.arange(row.size))
    entries = row[[row.size // 3, 2 * row.size // 3]]
    sizes = [abs(row).sum(), abs(weights * row).sum(), *[np.sqrt(np.mean(row**2))] * 2]
    return np.array([row.sum(), weights @ row, *entries]), np.array(sizes)


each_case = pytest.mark.parametrize("name", CASES)
both_dtypes = pytest.mark.parametrize("dtype", TOLERANCE)


@both_dtypes
@each_case
def test_agreement_with_stored_figures(name, dtype):
    found = ours(CASES[name], dtype)
    assert found.keys() == FIGURES[name].keys()
    for key, row in found.items():
        numbers, sizes = figures(row)
        errors = abs(numbers - FIGURES[name][key]) / sizes
        assert (errors <= TOLERANCE[dtype]).all(), (key, errors)


@both_dtypes
@each_case
def test_agreement_with_pytorch(name, dtype):
    pytest.importorskip("torch")
    found, wanted = ours(CASES[name], dtype), theirs(CASES[name], dtype)
    assert found.keys() == wanted.keys()
    for key, row in found.items():
        assert row.shape == wanted[key].shape
        assert abs(row - wanted[key]).max() <= TOLERANCE[dtype] * abs(wanted[key]).max(), key


def test_figures_are_those_of_the_cases():
    assert FIGURES.keys() == CASES.keys()


def rewrite_figures():
    """Write tests/support/torch_figures.py anew, from what PyTorch gives now."""
    lines = []
    for name, case in CASES.items():
        lines.append(f'    "{name}": {{')
        for key, row in theirs(case, "float64").items():
            numbers = ", ".join(f"{number:.12g}" for number in figures(row)[0])
            lines.append(f'        "{key}": ({numbers}),')
        lines.append("    },")
    path = Path(torch_figures.__file__)
    docstring = path.read_text().partition("\n\n")[0]
    path.write_text("\n".join([f"{docstring}\n", "FIGURES = {", *lines, "}", ""]))


if __name__ == "__main__":
    rewrite_figures()
