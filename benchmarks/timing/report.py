"""Tables of what was measured, made of the JSON file alone."""

import statistics
from typing import Any, Mapping, Sequence

from benchmarks.timing.case import EAGER

Results = Mapping[str, Any]  # "machine", "settings", "cases".
TITLES = {
    "limit": "The measured limit: products of large matrices",
    "agreement": "Largest relative difference of one step, same weights and "
                 "noise, from lebm_tf in float32",
    "train": "Training step, published networks and chains",
    "posterior": "Posterior chain alone",
    "learning": "Both updates alone, without chains",
    "batches": "Input pipeline alone: what a step would wait for",
    "prior": "Prior chain alone, by data set and batch",
    "served": "Exported model: the prior chain and the generator, by rows of "
              "a request",
    "start": "From the start of the process to the end of the first step",
    "scaling": "Training step of SVHN, one number changed",
    "memory": "Memory against the number of moves, batch 10",
}
_COLUMNS = ("case", "side", "median s", "min s", "max s", "runs",
            "times eager", "GFLOP/s", "of limit", "border left out",
            "items/s", "p99 s", "peak MB", "first call s", "traces")


def summary(seconds: Sequence[float]) -> dict[str, float]:
    """What is kept of the seconds of all repetitions."""
    ordered = sorted(seconds)
    return {"median": statistics.median(ordered), "min": ordered[0],
            "max": ordered[-1], "runs": len(ordered),
            "p99": ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]}


def limits(results: Results) -> dict[str, float]:
    """Precision -> operations a second, of whichever program did more."""
    found = {}
    for precision in ("float32", "bfloat16"):
        case = results["cases"].get(f"limit/{precision}", {"sides": {}})
        rates = [case["flops"] / side["seconds"]["median"]
                 for side in case["sides"].values() if "seconds" in side]
        if rates:
            found[precision] = max(rates)
    return found


def ratios(case: Mapping[str, Any]) -> dict[str, float]:
    """Of a case with both programs: how many times faster lebm_tf is.

    Each of its precisions against PyTorch eager and against the fastest
    variant of PyTorch; only what was measured.
    """
    medians = {name: side["seconds"]["median"] for name, side in
               case["sides"].items() if "seconds" in side}
    theirs = {name: median for name, median in medians.items()
              if name.startswith("PyTorch ")}
    found = {}
    for name, median in medians.items():
        if not name.startswith("lebm_tf ") or not theirs:
            continue
        if EAGER in theirs:
            found[f"{name} / {EAGER}"] = theirs[EAGER] / median
        best = min(theirs, key=theirs.get)
        if best != EAGER:
            found[f"{name} / best, {best}"] = theirs[best] / median
    return found


def markdown(results: Results, made_by: str = "benchmarks.speed") -> str:
    """All tables.

    Args:
        results: What the file holds.
        made_by: The module whose file it is.
    """
    lines = ["# Speed", "", *_introduction(results, made_by)]
    groups = {}
    for name, case in results["cases"].items():
        groups.setdefault(name.split("/")[0], {})[name] = case
    for group, title in TITLES.items():
        if group in groups:
            make = _agreement if group == "agreement" else _table
            lines += ["", f"## {title}", "", *make(results, groups[group])]
    return "\n".join(lines) + "\n"


def _introduction(results, made_by):
    machine = results["machine"]
    lines = [
        f"Made by `python -m {made_by}`; docs/speed.md says how. "
        f"{machine['processor']}, {machine['cpus']} CPUs "
        f"({', '.join(machine['instructions'])}), "
        f"{machine['memory_gigabytes']} GB, {machine['system']}, Python "
        f"{machine['python']}.", ""]
    lines += [f"- {name}: {', '.join(sorted(values))}"
              for name, values in _versions(results).items()]
    busy = [case["busy"] for case in results["cases"].values()]
    if busy:
        lines.append("- CPUs that other programs kept busy before a case: "
                     f"{min(busy):.1f} to {max(busy):.1f}")
    sources = {case["source"] for case in results["cases"].values()}
    if len(sources) > 1:
        lines.append(f"- measured with {len(sources)} states of the code")
    rows = [[name, pair, f"{ratio:.2f}"]
            for name, case in results["cases"].items()
            if name.split("/")[0] in ("train", "posterior", "prior")
            for pair, ratio in ratios(case).items()]
    if rows:
        lines += ["", "## How many times faster", "",
                  *_rows(("case", "pair", "times"), rows)]
    return lines


def _versions(results):
    found = {}
    for case in results["cases"].values():
        for side in case["sides"].values():
            for name, value in side.get("about", {}).items():
                if name in ("traces", "from TensorFlow"):
                    continue  # Not versions.
                if name == "threads":
                    name = f"threads of {side['program']}"
                found.setdefault(name, set()).add(str(value))
    return dict(sorted(found.items()))


def _agreement(results, cases):
    rows = []
    for name, case in cases.items():
        for side, values in case["sides"].items():
            record = values.get("record") or {}
            rows.append([name, side, values.get("failed") or ", ".join(
                f"{key} {value:.1e}" for key, value in record.items())])
    return _rows(("case", "side", "difference"), rows)


def _table(results, cases):
    limit, rows = limits(results), []
    for name, case in cases.items():
        eager = case["sides"].get(EAGER, {}).get("seconds")
        for side, values in case["sides"].items():
            if "failed" in values:
                rows.append([name, side, f"failed: {values['failed']}"]
                            + [""] * (len(_COLUMNS) - 3))
                continue
            rows.append([name, side, *_cells(case, values, eager, limit)])
    used = [i for i in range(len(_COLUMNS)) if any(row[i] for row in rows)]
    return _rows([_COLUMNS[i] for i in used],
                 [[row[i] for i in used] for row in rows])


def _cells(case, values, eager, limit):
    seconds = values["seconds"]
    median, most = seconds["median"], limit.get(values["precision"])

    def share(count):
        return f"{count / median / most:.0%}" if count and most else ""
    return [
        *(f"{seconds[name]:.4g}" for name in ("median", "min", "max")),
        str(seconds["runs"]),
        f"{eager['median'] / median:.2f}" if eager else "",
        f"{case['flops'] / median / 1e9:.3g}" if case["flops"] else "",
        share(case["flops"]), share(case["inner_flops"]),
        f"{case['items'] / median:.4g}" if case["items"] else "",
        f"{seconds['p99']:.4g}" if case["items"] else "",
        f"{values['peak_megabytes']:.0f}",
        f"{values['first_seconds']:.3g}",
        str(values.get("about", {}).get("traces", ""))]


def _rows(columns, rows):
    return ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|",
            *("| " + " | ".join(row) + " |" for row in rows)]
