"""Write the figures of the last `make bench` into docs/performance.md.

Run::

    python benchmarks/page.py

Every benchmark keeps its figures in benchmarks/results/NAME.json. A table of the page stands
between the lines ``<!-- NAME -->`` and ``<!-- end -->``; all else on the page is written by hand.
"""

import json
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"


def table(results):
    """Lines of a Markdown table: one row for each row measured, one column for each contender."""
    names = list(results["contenders"])
    yield "| | " + " | ".join(names) + " | ratio |"
    yield "|---" * (len(names) + 2) + "|"
    for row in results["rows"]:
        cells = [cell(row["contenders"].get(name)) for name in names]
        yield f"| {row['row']} ({row.get('unit', 'ms')}) | {' | '.join(cells)} | {ratio(row)} |"
    for name, means in results["tables"].items():
        ratios = "; ".join(
            f"{peer} {found['mean']:.2f} (least {found['least']:.2f})"
            for peer, found in means.items()
        )
        yield f"| **{name}**: mean | {ratios} " + "| " * len(names) + "|"


def cell(found):
    if not found:
        return ""
    if "error" in found:
        return "-"
    value = found["median"]
    return f"{value:.3f}" if value < 1 else f"{value:.1f}"


def ratio(row):
    """To the better of PyTorch's layouts, or to the only peer."""
    ratios = row["ratios"]
    chosen = ratios.get("better PyTorch", next(iter(ratios.values()), None))
    return "" if chosen is None else f"{chosen:.2f}"


def main():
    page = PAGE.read_text()
    for path in sorted((HERE / "results").glob("*.json")):
        results = json.loads(path.read_text())
        body = "\n".join(table(results))
        marks = rf"(<!-- {path.stem} -->\n).*?(<!-- end -->)"
        page, found = re.subn(marks, lambda m, body=body: f"{m[1]}{body}\n{m[2]}", page, flags=re.S)
        print(f"{path.stem}: {'written' if found else 'no place for it on the page'}")
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
