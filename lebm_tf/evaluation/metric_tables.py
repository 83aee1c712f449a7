"""Tables of metrics with their meanings, for the page of runs."""

import math
from typing import Mapping

from lebm_tf.evaluation import meanings, page
from lebm_tf.evaluation.evaluator import Better
from lebm_tf.evaluation.evaluators import EVALUATORS

_DIRECTIONS = {Better.LOWER: "Lower is better.",
               Better.HIGHER: "Higher is better."}
_FILES = (*page.PICTURES, ".txt", ".smi")
_LAST = ("run", "training", "evaluation")


def tables(runs: Mapping[str, Mapping[str, float | int | str]]) -> str:
    """HTML of one table for each evaluator, with one column for each run.

    Names of figures and texts are left out: the page shows the files.

    Args:
        runs: Name of a run -> its metrics, by name.
    """
    groups: dict[str, list[str]] = {}
    for metric in dict.fromkeys(
            metric for metrics in runs.values() for metric, value in
            metrics.items() if not str(value).endswith(_FILES)):
        groups.setdefault(metric.split("/")[0], []).append(metric)
    return page.paragraph(
        "Measured on held-out data; the best of several runs is bold if the "
        "metric has a direction. Compare only runs that were measured with "
        "equal settings.") + "".join(
            f"<h3>{page.text(group)}</h3>" + page.table(
                ["metric", *runs],
                [_row(metric, runs.values()) for metric in groups[group]])
            for group in sorted(groups, key=lambda group: group in _LAST))


def _row(metric, runs):
    evaluator = EVALUATORS.get(meanings.evaluator_of(metric))
    better = evaluator.better(metric) if evaluator else None
    values = [metrics.get(metric, page.NONE) for metrics in runs]
    numbers = [value for value in values
               if isinstance(value, (int, float)) and math.isfinite(value)]
    best = None
    if better in _DIRECTIONS and len(set(numbers)) > 1:
        best = min(numbers) if better is Better.LOWER else max(numbers)
    note = meanings.meaning(metric)
    if better in _DIRECTIONS:
        note = f"{note} {_DIRECTIONS[better]}".strip()
    return [page.cell(metric, note), *(
        page.cell(value, is_best=value == best) for value in values)]
