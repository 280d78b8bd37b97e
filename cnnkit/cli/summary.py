"""``python -m cnnkit summary``."""

from pathlib import Path

from cnnkit.cli import files
from cnnkit.cli.options import add_command, model_names, positive, sizes

EPILOG = """examples:
  python -m cnnkit summary digits.safetensors
  python -m cnnkit summary mobilenetv2.onnx
  python -m cnnkit summary resnet18 --image-shape 224x224x3 --classes 1000"""


def add_to(commands):
    """Add the command to the parsers `commands`."""
    parser = add_command(
        commands,
        "summary",
        run,
        help="the layers of a model, their shapes and weights",
        description="Print the layers of a model or ONNX file, or of a network of cnnkit.models.",
        epilog=EPILOG,
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help=f"a file, or one of {', '.join(model_names())}")
    add(
        "--image-shape",
        type=sizes,
        metavar="HxWxC",
        help="of a named network, default: 224x224x3, or of an ONNX file that leaves it open",
    )
    classes = "of a named network, default: 1000"
    add("--classes", type=positive(int), metavar="N", help=classes)
    add("--width", type=positive(float), metavar="W", help="of a named network, default: 1")


def run(options):
    """Print the table."""
    from cnnkit import io, models, onnx

    if options.model in model_names() and not Path(options.model).exists():
        shape = (*(options.image_shape or (224, 224, 3)), 1)[:3]
        build = getattr(models, options.model)
        print(build(options.classes or 1000, shape, width=options.width or 1).summary(shape))
        return
    of_onnx = files.kind(options.model) == files.ONNX
    for name in ("classes", "width") if of_onnx else ("image_shape", "classes", "width"):
        if getattr(options, name) is not None:
            option = name.replace("_", "-")
            needed = (
                "a named network or ONNX file"
                if name == "image_shape"
                else "a named network, not a file"
            )
            options.refuse(f"argument --{option}: needs {needed}")
    if of_onnx:
        shape = options.image_shape and (*options.image_shape, 1)[:3]
        network = onnx.load(options.model, input_shape=shape)
        print(network.graph.summary(network.input_shape))
        return
    model = io.load(options.model)
    print(f"{type(model).__name__} for images of {'x'.join(map(str, model.input_shape_))}")
    if hasattr(model, "node_"):
        print(f"features: {model.node_}")
        model = model.estimator_
    if hasattr(model, "classes_"):
        print(
            f"{'labels' if model.multilabel_ else 'classes'}: {', '.join(map(str, model.classes_))}"
        )
    print(model.summary())
