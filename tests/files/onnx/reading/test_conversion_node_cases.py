"""The node tests of the onnx package: how many are right, and which are refused."""

from collections import Counter

import pytest

pytest.importorskip("onnx", reason="needs onnx: pip install 'cnnkit[onnx]'")
from onnx_cases import OPERATORS, collect, outcome

REFUSED = {  # what a name starts with: what is said
    "test_add_uint64": "input 0 must be of real numbers, got uint64",
    "test_mul_uint64": "input 0 must be of real numbers, got uint64",
    "test_sub_uint64": "input 0 must be of real numbers, got uint64",
    "test_batchnorm_epsilon_training": "training_mode must be 0, got 1",
    "test_batchnorm_example_training": "training_mode must be 0, got 1",
    "test_div_int": "input 0 must be of real numbers, got int",
    "test_div_uint": "input 0 must be of real numbers, got uint",
    "test_dropout_default_mask": "mask, a second output, must not be asked for",
    "test_training_dropout": "must",
    "test_identity_opt": "must be a tensor with a shape",
    "test_identity_sequence": "must be a tensor with a shape",
    "test_maxpool_with_argmax": "Indices, a second output, must not be asked for",
    "test_reshape_allowzero": "shape must hold the numbers of",
    "test_resize_downsample_scales_cubic_align": "scales must give whole sizes",
    "test_resize_downsample_scales_linear_align": "scales must give whole sizes",
}


@pytest.fixture(scope="module")
def outcomes():
    return {case.name: outcome(case) for case in collect(OPERATORS)}


def test_right_or_refused(outcomes):
    counts = Counter(
        said if said in ("right", "wrong") else "refused" for said in outcomes.values()
    )
    assert counts["wrong"] == 0
    assert counts["right"] >= 230  # of 259 in onnx 1.23: other versions have a few more or fewer


def test_refusals_say_why(outcomes):
    for name, said in outcomes.items():
        if said == "right":
            continue
        reasons = [text for start, text in REFUSED.items() if name.startswith(start)]
        assert reasons, f"{name}: {said}"
        assert reasons[0] in said
