"""Every layer is in the table of cases, and gives what its definition says."""

import layer_cases
import pytest
from layer_oracles import check

from cnnkit import layers


def test_no_layer_is_forgotten():
    assert layer_cases.CASES.keys() == layers.KINDS.keys()
    for name, case in layer_cases.CASES.items():
        tried = {type(layer) for layer in (*case.small, *case.large, *case.unusual)}
        assert tried <= {layers.KINDS[name]}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("layer", "shapes"), layer_cases.small(), ids=str)
def test_outputs_and_slopes(layer, shapes, training):
    check(layer, *shapes, training=training and not layer.training_only)
