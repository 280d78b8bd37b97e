"""What the tests of the command line share."""

import pytest

from cnnkit.cli import main


@pytest.fixture
def run(capsys):
    """Run a command in this process: code, stdout, stderr."""

    def run(*words):
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run
