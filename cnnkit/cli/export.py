"""``python -m cnnkit export``."""

from pathlib import Path

from cnnkit.cli.messages import check_output, shown
from cnnkit.cli.options import add_command, positive

EPILOG = """The file holds what the model does to images, too: standardisation before the network,
and labels and probabilities, or targets in their own units, behind it. Needs the onnx package:
pip install cnnkit[onnx].

Where --format is not given, images are (N, H, W, C), or flat rows for a model with image_shape and
for tables. A file that is there already is replaced with --force alone.

examples:
  python -m cnnkit export digits.safetensors digits.onnx
  python -m cnnkit export photos.safetensors photos.onnx --format channels_first --input uint8"""


def add_to(commands):
    """Add the command to the parsers `commands`."""
    parser = add_command(
        commands,
        "export",
        run,
        help="write a model as an ONNX file, which other programs run",
        description="Write a model that train, or cnnkit.save, wrote as an ONNX file.",
        epilog=EPILOG,
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="a file that train or cnnkit.save wrote")
    add("output", metavar="FILE", help="the ONNX file, by custom .onnx")
    formats = ("channels_last", "channels_first", "rows")
    add("--format", choices=formats, dest="data_format", help="how images are given, see below")
    add("--input", metavar="DTYPE", help="type of their numbers, such as uint8, default: float32")
    add("--logits", action="store_true", help="of a classifier: numbers before softmax, no labels")
    add("--float64", action="store_true", help="compute in float64, as few programs can")
    add("--opset", type=positive(int), metavar="N", help="version of ONNX's operators, default: 17")
    add("-f", "--force", action="store_true", help="replace FILE")


def run(options):
    """Read the model, write the file, and say what it takes and gives."""
    from cnnkit import io, onnx

    path = Path(options.output)
    check_output(options.output, "FILE", options.force)
    model = io.load(options.model)
    if options.logits and not hasattr(model, "predict_proba"):
        options.refuse("argument --logits: needs a classifier")
    onnx.write(
        model,
        path,
        output="logits" if options.logits else None,
        data_format=options.data_format,
        input_dtype=options.input,
        dtype="float64" if options.float64 else "float32",
        opset=options.opset,
    )
    print(f"{shown(path)}: {path.stat().st_size:,} bytes")
