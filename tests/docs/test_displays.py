"""The guide to the displays runs as it is written."""

import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "displays.md"


@pytest.mark.skipif(not GUIDE.exists(), reason="docs are not installed")
def test_the_guide_runs(pyplot, capsys):
    code = "\n".join(re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL))
    before = set(pyplot.get_fignums())  # of other tests
    exec(compile(code, str(GUIDE), "exec"), {})
    printed = re.findall(r"print\(.*  # (.*)", code)
    assert capsys.readouterr().out.split() == printed
    assert len(set(pyplot.get_fignums()) - before) == 11
