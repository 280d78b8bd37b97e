"""What a file of a network is that a command is given: by its name, and by its first bytes."""

from pathlib import Path

from cnnkit.cli.messages import shown

ONNX = "an ONNX file"
OWN = "a model file"  # of train or cnnkit.save
WEIGHTS = "a file of weights"  # of another library, without a network
SUFFIXES = {".onnx": ONNX, ".pt": WEIGHTS, ".pth": WEIGHTS}


def kind(name):
    """Return what a file is: `ONNX`, `WEIGHTS` or, where the name says nothing else, `OWN`."""
    path = Path(name)
    found = SUFFIXES.get(path.suffix.lower(), OWN)
    if path.suffix.lower() == ".safetensors" and path.exists():
        from cnnkit.files import tensors

        return OWN if tensors.is_own(path, "load") else WEIGHTS
    return found


def labels(name):
    """Return the names of classes in a text file, one on a line."""
    try:
        text = Path(name).read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"--labels: {shown(name)} must be UTF-8 text: {error}.") from None
    return [line.strip() for line in text.rstrip().split("\n")] if text.strip() else []
