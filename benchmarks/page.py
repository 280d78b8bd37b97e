"""Write the figures of the last `make bench` into the pages of docs.

Run::

    python benchmarks/page.py

Every benchmark keeps its figures in benchmarks/results/NAME.json. A table of a page stands
between the lines ``<!-- NAME -->`` and ``<!-- end -->``; all else on the pages is written by hand.
"""

import json
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGES = [HERE.parent / "docs" / name for name in ("design/performance.md", "guides/defaults.md")]
OURS = ("cnnkit", "seconds", "numbers")  # entries of a row that are no other contender's


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
    """Ratio to the better of PyTorch's layouts, or to the only peer."""
    ratios = row["ratios"]
    chosen = ratios.get("better PyTorch", next(iter(ratios.values()), None))
    return "" if chosen is None else f"{chosen:.2f}"


def learnt(results):
    """Lines of a Markdown table of scores with default arguments, and seconds of the fits."""
    names = list(dict.fromkeys(name for found in results.values() for name in found))
    names = ["cnnkit", *(name for name in names if name not in OURS)]
    yield "| data | " + " | ".join(names) + " | seconds, cnnkit |"
    yield "|---" * (len(names) + 2) + "|"
    for row, found in results.items():
        cells = [f"{found[name]:.3f}" if name in found else "" for name in names]
        yield f"| {row} | {' | '.join(cells)} | {found['seconds']:.1f} |"


def main():
    texts = {path: path.read_text() for path in PAGES}
    for path in sorted((HERE / "results").glob("*.json")):
        results = json.loads(path.read_text())
        body = "\n".join(learnt(results) if path.stem == "defaults" else table(results))
        marks, places = rf"(<!-- {path.stem} -->\n).*?(<!-- end -->)", 0
        for page in texts:
            texts[page], found = re.subn(
                marks, lambda m, body=body: f"{m[1]}{body}\n{m[2]}", texts[page], flags=re.S
            )
            places += found
        print(f"{path.stem}: {'written' if places else 'no place for it on the pages'}")
    for path, text in texts.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
