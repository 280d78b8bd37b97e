"""The command line: ``python -m cnnkit train | predict | summary | export | bench | versions``.

Exit codes: 0 success, 1 failure (the last line on stderr gives the reason), 2 the command was not
understood, 130 interrupted.
"""

import argparse
import os
import sys
import warnings

from cnnkit.cli import bench, export, messages, predict, summary, train
from cnnkit.cli.options import Formatter

EXAMPLES = """examples:
  python -m cnnkit train digits --output digits.safetensors
  python -m cnnkit train photos/ --size 64x64 --model resnet18 --width 0.25
  python -m cnnkit predict digits.safetensors new/*.png
  python -m cnnkit summary resnet18 --image-shape 224x224x3 --classes 1000
  python -m cnnkit export digits.safetensors digits.onnx
  python -m cnnkit bench
  python -m cnnkit versions

`python -m cnnkit COMMAND --help` says more about each.

exit codes: 0 all went well, 1 something failed, 2 the command was not understood."""


def main(argv=None):
    """Run a command and return its exit code.

    Parameters
    ----------
    argv : list of str, default=None
        Words of the command line; None means those of the process.

    Returns
    -------
    code : int
    """
    try:
        options = parser().parse_args(argv)
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            options.run(options)
        sys.stdout.flush()
    except (OSError, ValueError, TypeError, ImportError, MemoryError) as error:
        if isinstance(error, BrokenPipeError):  # as `head` closes it after ten lines
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        print(f"cnnkit: error: {error or type(error).__name__}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ncnnkit: interrupted", file=sys.stderr)
        return 130
    return 0


def _warn(message, *where, **more):
    """Show a warning in the form of the errors, without its line of code."""
    messages.warn(message)


def parser():
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="python -m cnnkit",
        description="Train and use convolutional networks.",
        epilog=EXAMPLES,
        formatter_class=Formatter,
    )
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (train, predict, summary, export, bench):
        module.add_to(commands)
    versions = commands.add_parser("versions", help="what a bug report should say")
    versions.set_defaults(run=_versions)
    return top


def _versions(options):
    from cnnkit._versions import show_versions

    show_versions()
