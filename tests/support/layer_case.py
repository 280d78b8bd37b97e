"""What a row of the table of layers is."""

from typing import NamedTuple

IMAGES, LARGE_IMAGES = (3, 4, 2), (20, 20, 16)
SIDES = ((0, 1), (1, 0))


class LayerCase(NamedTuple):
    """What the tests try one kind of layer with.

    `twin(layer, w, context, *xs)` is the definition of the layer in float64, w being its weights
    and the context whether it trains, its generator and the number of samples. Layers of `small`
    read samples of `shapes`, those of `large` (as a rule the same) samples of `large_shapes`.
    Without any, it is the layer by its defaults. In `unusual`, and `small` and `large`, every
    hyper-parameter has another value than its default. `arguments` are right ones for public calls,
    `words` more values of hyper-parameters. `torch(t, layer, *xs)`, where there is one, is the
    layer by the functions of PyTorch: see test_torch_agreement.
    """

    twin: object
    small: tuple = ()
    shapes: tuple = (IMAGES,)
    large: tuple = ()
    large_shapes: tuple = (LARGE_IMAGES,)
    unusual: tuple = ()
    arguments: dict = {}  # noqa: RUF012
    words: dict = {}  # noqa: RUF012
    torch: object = None
