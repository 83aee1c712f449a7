"""Writes one self-contained HTML page about one or more trained runs.

    python -m lebm_tf.report --workdir=runs/a,runs/b --output=report.html

The page shows the settings that differ from the defaults, training curves, the
pictures and texts of the work directories, long chains if there are any, every
metric with its meaning, and what to do next. Several runs are shown side by
side. It opens in any browser, needs no network, and can be sent as one file.
"""

import dataclasses
import fnmatch
import glob
import os
import shlex
import sys
from typing import NamedTuple, Sequence

from lebm_tf.configuration import startup

startup.begin("report", __name__, __doc__)

from lebm_tf import files  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.configuration.run import RunConfig  # noqa: E402
from lebm_tf.errors import InputError  # noqa: E402
from lebm_tf.evaluation import (  # noqa: E402
    EVALUATORS, EvaluationConfig, metric_tables, page)
from lebm_tf.ranges import Checked  # noqa: E402
from lebm_tf.text_files import read_text  # noqa: E402
from lebm_tf.training import (  # noqa: E402
    loading, plugins, summary, workdir as workdirs)

_TEXTS = (".txt", ".smi")
_MOST_LINES = 60
_R_HAT = 1.1
_KINDS_OF_CURVES = (
    ("Losses", "loss/*"), ("Energies of chains, in nats", "*tive/energy"),
    ("Displacement of chains, in units of z", "*tive/displacement"),
    ("Acceptance of chains", "*tive/accept_prob"),
    ("Gradient norms", "gradient_norm/*"),
    ("Learning rates", "learning_rate/*"))


@dataclasses.dataclass(frozen=True)
class ReportConfig(Checked):
    """Which runs to show.

    Attributes:
        workdir: Work directories of trained and evaluated runs, separated by
            commas.
        output: HTML file to write.
    """
    workdir: tuple[str, ...] = ()
    output: str = "report.html"


class Shown(NamedTuple):
    """A run on the page.

    Attributes:
        workdir: Its work directory.
        name: Short name.
        run: Its resolved configuration.
        metrics: Contents of metrics.json.
        history: Rows of history.json.
    """
    workdir: str
    name: str
    run: workdirs.Run
    metrics: dict
    history: list


def read(workdir: str, name: str) -> Shown:
    """Reads what the page shows of a run.

    Raises:
        InputError: If the folder is not the work directory of a run that was
            trained and evaluated.
    """
    run = workdirs.read(workdir)
    loading.trained(workdir, run.run)
    path = os.path.join(workdir, workdirs.METRICS)
    if not os.path.isfile(path):
        raise InputError(
            f"{workdir} must hold metrics, got no {workdirs.METRICS}; write it "
            "by python -m lebm_tf.evaluate "
            f"--workdir={shlex.quote(workdir)}.")
    metrics = files.read_json(path)
    if not isinstance(metrics, dict):
        raise InputError(f"{path} must hold metrics by name, got a "
                         f"{type(metrics).__name__}.")
    history = os.path.join(workdir, "history.json")
    return Shown(workdir, name, run, metrics, files.read_json(
        history) if os.path.isfile(history) else [])


def write(shown: list[Shown], output: str, modules: Sequence[str] = ()
          ) -> None:
    """Writes the page, atomically; suggested commands name the plugins
    `modules`."""
    names = ", ".join(run.name for run in shown)
    content = page.page(f"Report: {names}", _introduction(shown), {
        "Metrics": metric_tables.tables({
            run.name: run.metrics for run in shown}),
        "Pictures": _pictures(shown),
        "Texts": _texts(shown),
        "Training": _curves(shown),
        "Long chains": _chains(shown),
        "Configuration": _configuration(shown),
        "What next": _next(shown, modules)})
    with files.atomic_path(output) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(content)


def _introduction(shown):
    return "; ".join(
        f"{run.name}: family {run.run.run.family} on "
        f"{run.run.run.data.dataset}, step "
        f"{run.metrics.get('run/step', page.NONE)}"
        for run in shown) + "."


def _curves(shown):
    if not any(run.history for run in shown):
        return ""
    names = dict.fromkeys(
        name for run in shown for row in run.history for name in row
        if not (name.endswith("/accept_prob") and row[name] == 1))  # No step.
    parts = [page.legend([run.name for run in shown])]
    for title, pattern in _KINDS_OF_CURVES:
        charts = [page.chart(name, [
            [(row.get("step", i), row[name]) for i, row in enumerate(
                run.history) if name in row] for run in shown])
            for name in fnmatch.filter(names, pattern)]
        if any(charts):
            parts.append(f"<h3>{page.text(title)}</h3>" + page.grid(charts))
    return "".join(parts) + page.paragraph("Horizontally: training steps.")


def _found(run, endings):
    """Files with one of these endings, relative to the work directory."""
    return sorted(
        os.path.relpath(path, run.workdir) for path in glob.glob(os.path.join(
            glob.escape(run.workdir), "**", "*"), recursive=True)
        if path.lower().endswith(endings) and os.path.isfile(path))


def _pictures(shown):
    found = {run.name: _found(run, page.PICTURES) for run in shown}
    parts = []
    for name in sorted({path for paths in found.values() for path in paths},
                       key=lambda path: (path.count(os.sep), path)):
        parts.append(f"<h3>{page.text(name)}</h3>" + page.grid([
            page.picture(os.path.join(run.workdir, name), run.name)
            for run in shown if name in found[run.name]], is_wide=True))
    return "".join(parts)


def _texts(shown):
    parts = []
    for run in shown:
        for name in _found(run, _TEXTS):
            path = os.path.join(run.workdir, name)
            lines = read_text(path, f"the text {path}").splitlines()
            more = len(lines) - _MOST_LINES
            parts.append(
                f"<h3>{page.text(run.name)}: {page.text(name)}</h3>"
                + page.code(lines[:_MOST_LINES] + (
                    [f"... {more} more lines"] if more > 0 else [])))
    return "".join(parts)


def _chains(shown):
    rows = []
    for run in shown:
        for path in sorted(glob.glob(os.path.join(
                glob.escape(run.workdir), "*", "diagnostics.json"))):
            for name, row in files.read_json(path)["values"].items():
                rows.append([page.text(run.name), page.text(os.path.basename(
                    os.path.dirname(path))), page.text(name), *(
                        page.text(row[key]) for key in (
                            "r_hat", "bulk_ess", "tail_ess"))])
    return rows and page.paragraph(
        "R-hat is near 1 if all chains agree, which they also do if all miss "
        "the same mode or if the kernel is biased. Effective sample sizes "
        "count independent draws.") + page.table(
            ["run", "chains", "value", "rank R-hat", "bulk ESS", "tail ESS"],
            rows)


def settings_of(resolved: workdirs.Run) -> dict[str, tuple]:
    """Flag -> (value, default) of a run, its model and its evaluators."""
    run, model, _, evaluation, _ = resolved
    pairs = [(run, RunConfig(), ""), (model, type(model)(), ""),
             (evaluation.config, EvaluationConfig(), "evaluation_"), *(
                 (own, EVALUATORS[own.name], f"evaluation_{own.name}_")
                 for own in evaluation.evaluators)]
    return {
        field.flag: (field.default, default_field.default)
        for config, default, prefix in pairs for field, default_field in zip(
            fields.fields(type(config), prefix, config=config),
            fields.fields(type(config), prefix, config=default), strict=True)}


def _configuration(shown):
    settings = [settings_of(run.run) for run in shown]
    flags = dict.fromkeys(
        flag for run in settings for flag, (value, default) in run.items()
        if value != default)
    rows = []
    for flag in flags:
        default = next(run[flag][1] for run in settings if flag in run)
        rows.append([page.cell(f"--{flag}"), *(
            page.cell(run[flag][0] if flag in run else page.NONE)
            for run in settings), page.cell(default)])
    return page.paragraph(
        "Settings that differ from the defaults; config.json has all.") + (
            page.table(["flag", *(run.name for run in shown), "default"],
                       rows))


def _next(shown, modules):
    parts = []
    for run in shown:
        config = dataclasses.replace(run.run.run, workdir=run.workdir)
        parts.append(f"<h3>{page.text(run.name)}</h3>" + "".join(
            map(page.paragraph, _advice(run.metrics))) + page.code(
                summary.commands(config, modules)))
    return "".join(parts)


def _advice(metrics):
    """Sentences on what the metrics call for."""
    if metrics.get("training/rollbacks"):
        yield ("Training diverged and returned to an earlier checkpoint "
               f"{metrics['training/rollbacks']} times: see Troubleshooting in "
               "the documentation.")
    if metrics.get("chains/long_r_hat_largest", 0) > _R_HAT:
        yield (f"R-hat of the long chains exceeds {_R_HAT}: run longer or "
               "tempered chains with python -m lebm_tf.mcmc.")
    samples, base = (metrics.get(f"frechet/{name}", 0) for name in (
        "samples", "base_samples"))
    if base and samples >= base:
        yield ("Samples of the learned prior are no nearer to the data than "
               "those of p0: train longer, or with more prior steps.")


def _names(paths):
    """The last folder of each path, or the paths if two are equal."""
    names = [os.path.basename(os.path.abspath(path)) for path in paths]
    return names if len(set(names)) == len(names) else list(paths)


def main(values) -> None:
    """Writes the page and says where it is."""
    chosen = fields.from_flags(ReportConfig, values)
    paths = chosen.workdir
    if not paths or len({os.path.realpath(path) for path in paths}) < len(
            paths):
        raise InputError("--workdir must name one or more different work "
                         f"directories, got {','.join(paths) or 'none'}.")
    if not chosen.output or os.path.isdir(chosen.output):
        raise InputError("--output must name an HTML file, got "
                         f"{chosen.output or 'none'!r}"
                         f"{', a folder' if chosen.output else ''}.")
    write([read(path, name) for path, name in zip(paths, _names(paths))],
          chosen.output, command.modules(values))
    command.say(f"Wrote {chosen.output}.")


if __name__ == "__main__":
    sys.exit(command.run(
        main, __doc__, fields.fields(ReportConfig),
        load_plugins=plugins.load))
