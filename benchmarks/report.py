"""The output of a benchmark: medians, ratios to the first contender, and their means."""

import platform
import statistics
import sys
from pathlib import Path


def processor():
    """The name of the processor, with its family and model: virtual machines hide the name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(
        tuple(part.strip() for part in line.split(":", 1)) for line in lines if ":" in line
    )
    if "model name" not in facts:
        return platform.machine()
    flags = facts.get("flags", "").split()
    widest = next((name for name in ("avx512f", "avx2", "avx") if name in flags), "no avx")
    family = f"family {facts.get('cpu family', '?')}, model {facts.get('model', '?')}"
    return f"{facts['model name']} ({family}, {widest})"


def figures(row, results, contenders):
    """Medians of one row, and ratios to the first contender's."""
    figures = {"row": row, "contenders": {}, "ratios": {}}
    medians = {}
    for name, answers in results.items():
        last = answers[-1]
        if "error" in last:
            figures["contenders"][name] = last
            continue
        turns = [answer["value"] for answer in answers]
        medians[name] = statistics.median(turns)
        figures["contenders"][name] = {
            "median": medians[name],
            "least": min(turns),
            "most": max(turns),
            "note": last["note"],
        }
        figures["unit"] = last["unit"]
        if last["multiply_adds"]:
            gflops = 2e-6 * last["multiply_adds"] / medians[name]
            figures["contenders"][name]["GFLOP/s"] = gflops
    ours, *peers = contenders
    if medians.get(ours.name, 0) > 0:
        for peer in peers:
            if peer.name in medians:
                figures["ratios"][peer.name] = medians[peer.name] / medians[ours.name]
        for group in dict.fromkeys(peer.group for peer in peers if peer.group):
            names = [p.name for p in peers if p.group == group and p.name in medians]
            if names:
                better = min(figures["ratios"][name] for name in names)
                figures["ratios"][f"better {group}"] = better
    return figures


def print_row(figures):
    unit = figures.get("unit", "ms")
    print(f"\n{figures['row']}")
    print(f"  {'':<22}{unit:>12}{'least':>12}{'most':>12}{'GFLOP/s':>10}{'peer/ours':>12}")
    for name, found in figures["contenders"].items():
        if "error" in found:
            print(f"  {name:<22}{found['error']}")
            continue
        gflops = f"{found['GFLOP/s']:.0f}" if "GFLOP/s" in found else ""
        ratio = figures["ratios"].get(name)
        ratio = "" if ratio is None else f"{ratio:.2f}"
        print(
            f"  {name:<22}{found['median']:>12.3f}{found['least']:>12.3f}{found['most']:>12.3f}"
            f"{gflops:>10}{ratio:>12}  {found['note']}"
        )
    for name, ratio in figures["ratios"].items():
        if name not in figures["contenders"]:
            print(f"  {name:<68}{ratio:>12.2f}")
    sys.stdout.flush()


MANY = 20  # ratios of which a percentile says something


def summaries(rows):
    """Ratios of each table together: {table: {peer: {"mean", "least", "at", "rows", ...}}}.

    The mean is geometric. Of many rows there are also "5th percentile" and "ten least".
    """
    tables = {}
    for figures in rows:
        table, separator, case = figures["row"].partition(": ")
        if separator:
            for name, ratio in figures["ratios"].items():
                tables.setdefault(table, {}).setdefault(name, []).append((ratio, case))
    return {
        table: {name: _summary(sorted(found)) for name, found in peers.items()}
        for table, peers in tables.items()
    }


def _summary(found):
    ratios = [ratio for ratio, _ in found]
    summary = {
        "mean": statistics.geometric_mean(ratios),
        "least": ratios[0],
        "at": found[0][1],
        "rows": len(found),
    }
    if len(found) >= MANY:
        summary["5th percentile"] = statistics.quantiles(ratios, n=20)[0]
        summary["ten least"] = found[:10]
    return summary


def print_summaries(tables):
    for table, peers in tables.items():
        print(f"\n{table + ': peer/ours':<40}{'mean':>8}{'least':>8}")
        for name, found in peers.items():
            rows = f"of {found['rows']} row{'s' * (found['rows'] > 1)}"
            print(f"  {name:<38}{found['mean']:>8.2f}{found['least']:>8.2f}  {rows}: {found['at']}")
            if "ten least" in found:
                print(f"    {'5th percentile':<36}{found['5th percentile']:>8.2f}")
                for ratio, case in found["ten least"]:
                    print(f"      {ratio:>42.2f}  {case}")
