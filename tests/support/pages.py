"""Pages of docs whose Python the tests run."""

import re
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

PAGES = Path(__file__).parents[2] / "docs"


@contextmanager
def running(page):
    """Run the Python of a page as a module, whose classes can be pickled until the end."""
    text = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
    module = sys.modules[page.stem] = ModuleType(page.stem)
    try:
        exec(compile(text, str(page), "exec"), vars(module))
        yield module
    finally:
        del sys.modules[page.stem]
