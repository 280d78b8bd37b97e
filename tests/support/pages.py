"""Pages of docs whose Python the tests run."""

import re
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

PAGES = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)  # code, output


@contextmanager
def running(page, outputs=False):
    """Run the Python of a page as a module, whose classes can be pickled until the end.

    With `outputs` it runs block by block: the iterator that comes back runs the next, and gives the
    text that the page shows as its output, or None.
    """
    module = sys.modules[page.stem] = ModuleType(page.stem)
    blocks = BLOCK.findall(page.read_text())

    def one_by_one():
        for code, shown in blocks:
            exec(compile(code, str(page), "exec"), vars(module))
            yield shown or None

    try:
        if outputs:
            yield one_by_one()
        else:
            text = "\n".join(code for code, _ in blocks)
            exec(compile(text, str(page), "exec"), vars(module))
            yield module
    finally:
        del sys.modules[page.stem]
