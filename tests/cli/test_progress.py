"""Progress of a command as one line of text."""

import io

import pytest

from cnnkit.cli.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self):
        return True


class TestProgress:
    def test_a_shorter_line_covers_a_longer_one(self):
        stream = Terminal()
        progress = Progress(2, "epoch", stream)
        progress.step(1, "something long")
        progress.step(2, "short")
        progress.close()
        first, second = stream.getvalue().strip("\r\n").split("\r")
        assert len(second) == len(first)
        assert stream.getvalue().endswith("\n")

    def test_nothing_to_end(self):
        stream = Terminal()
        Progress(2, "epoch", stream).close()
        assert stream.getvalue() == ""

    @pytest.mark.parametrize(
        ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
    )
    def test_durations(self, seconds, text):
        assert duration(seconds) == text
