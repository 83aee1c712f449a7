"""Figures with axes: training curves and chains."""

from typing import Mapping, NamedTuple, Sequence

import numpy as np

from lebm_tf.evaluation import pictures

# Values without an accept step, and without a chain.
_IDLE = {"accept_prob": 1.0, "displacement": 0.0}
_COLOURS = {"positive": "tab:blue", "negative": "tab:red"}


class ChainFigure(NamedTuple):
    """Contents of a figure of chains.

    Attributes:
        images: Images along chains, [chains, columns, height, width, channels],
            float in [-1, 1].
        columns: Steps made at each column, int [columns].
        steps: Steps made at each energy, int [records].
        energy: float [records, chains], in nats.
        trained_steps: Steps of the chains in training.
        title: One line.
        is_logarithmic: Whether the axis of steps is logarithmic.
    """
    images: np.ndarray
    columns: np.ndarray
    steps: np.ndarray
    energy: np.ndarray
    trained_steps: int
    title: str
    is_logarithmic: bool = False


def chains(path: str, shown: ChainFigure) -> None:
    """Draws images along a few chains, and below them the energy of many."""
    num_rows, num_columns = shown.images.shape[:2]
    tiles = pictures.enlarge(pictures.grid(
        shown.images.reshape(-1, *shown.images.shape[2:]), num_columns), 1000)
    width = 9.0
    height = 0.86 * width * tiles.shape[0] / tiles.shape[1]
    figure = pictures.new_figure(figsize=(width, height + 3.6))
    total = height + 3.6
    top = figure.add_axes((0.09, (total - 0.4 - height) / total, 0.86,
                           height / total))
    top.imshow(tiles, interpolation="nearest", aspect="auto")
    cell = tiles.shape[1] / num_columns
    top.set_xticks((np.arange(num_columns) + 0.5) * cell,
                   [str(step) for step in shown.columns])
    top.set_yticks([])
    top.tick_params(length=0)
    top.set_xlabel("steps made")
    top.set_ylabel(f"{num_rows} chains")
    top.set_title(shown.title, fontsize=11)
    _energy(figure.add_axes((0.09, 0.5 / total, 0.86, 2.2 / total)), shown)
    pictures.save_figure(path, figure)


def _energy(axes, shown):
    steps, energy = shown.steps, shown.energy.astype(np.float64)
    if shown.is_logarithmic:
        # Evenly spaced; all records would blacken the right end.
        records = np.unique(np.geomspace(1, len(steps) - 1, 150).round())
        steps, energy = (values[records.astype(int)] for values in
                         (steps, energy))
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:.0f}")
    mean, scale = energy.mean(axis=1), energy.std(axis=1)
    axes.fill_between(steps, mean - scale, mean + scale, alpha=0.25,
                      linewidth=0, label="± 1 standard deviation")
    axes.plot(steps, mean, label=f"mean of {energy.shape[1]} chains")
    for k in range(min(3, energy.shape[1])):
        axes.plot(steps, energy[:, k], color="grey", linewidth=0.6,
                  label=None if k else "single chains")
    axes.axvline(shown.trained_steps, color="black", linestyle="--",
                 linewidth=1, label=f"as trained, {shown.trained_steps} steps")
    if len(steps) > 1:
        axes.set_xlim(steps[0], steps[-1])
    axes.set_xlabel("steps made")
    axes.set_ylabel("energy E(z) / nats")
    axes.legend(fontsize=8, loc="best")


def training_curves(path: str, history: Sequence[Mapping[str, float]]) -> None:
    """Draws the logs of `EnergyModel.train_step` against the step.

    Each loss has its own axes; then follow energies, displacements (unless all
    are 0) and acceptance (unless always 1), with positive and negative chains
    in one plot, and gradient norms.

    Args:
        path: File ending in .png.
        history: Rows of logs, as {"step": 50, "loss/energy": -0.1, ...}. Rows
            without "step" are numbered. A row may lack a name.

    Raises:
        ValueError: If there is no row, or nothing in it to draw.
    """
    panels = _panels(history)
    if not panels:
        raise ValueError(
            "history must hold rows with losses, energies or gradient norms, "
            f"got {len(history)} rows.")
    from matplotlib.ticker import LogLocator, MaxNLocator  # Slow to import.
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = pictures.new_figure(
        figsize=(4.4 * columns, 2.9 * rows), layout="constrained")
    every = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (title, curves) in zip(every, panels):
        for label, name in curves:
            axes.plot(*_curve(history, name), label=label, linewidth=1.2,
                      color=_COLOURS.get(label))
        axes.set_title(title[0], fontsize=10)
        axes.set_ylabel(title[1])
        axes.set_xlabel("training step")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if title[0] == "gradient norm":
            axes.set_yscale("log", subs=())
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.yaxis.set_major_formatter("{x:g}")
        if len(curves) > 1:
            axes.legend(fontsize=8)
    for axes in every[len(panels):]:
        axes.set_axis_off()
    pictures.save_figure(path, figure)


def _panels(history):
    """[((title, y label), [(curve, name in the history)])]."""
    names = list(dict.fromkeys(name for row in history for name in row))
    panels = [((f"loss of {name[5:]}", "loss"), [(name[5:], name)])
              for name in names if name.startswith("loss/")]
    for key, title, unit in (
            ("energy", "energy of chains", "E(z) / nats"),
            ("displacement", "displacement of chains",
             "$|z_K - z_0|$ / unit of z"),
            ("accept_prob", "acceptance of chains", "probability")):
        curves = [(sign, f"{sign}/{key}") for sign in _COLOURS
                  if f"{sign}/{key}" in names]
        idle = _IDLE.get(key)
        if curves and not all(row.get(name, idle) == idle for row in history
                              for _, name in curves):
            panels.append(((title, unit), curves))
    norms = [(name[14:], name) for name in names
             if name.startswith("gradient_norm/")]
    if norms:
        panels.append((("gradient norm", "norm"), norms))
    return panels


def _curve(history, name):
    points = [(row.get("step", i), row[name])
              for i, row in enumerate(history) if name in row]
    return zip(*points)


def layers_on_the_way(path: str, steps: np.ndarray, chains: list,
                      posterior: list) -> None:
    """Draws every layer of prior chains at four steps, over posterior draws.

    One row per layer, starting next to the data, and one column per step.
    Layers wider than two are projected onto the first two principal components
    of the posterior draws.

    Args:
        path: File ending in .png.
        steps: Steps made at each record, int [records].
        chains: One array per layer, float [records, chains, width].
        posterior: One array per layer, float [draws, width].
    """
    chosen = sorted({0, len(steps) // 6, len(steps) // 2, len(steps) - 1})
    figure = pictures.new_figure(
        figsize=(2.2 * len(chosen), 2.2 * len(chains)), layout="constrained")
    axes = figure.subplots(len(chains), len(chosen), squeeze=False)
    for row, layer, codes in zip(axes, chains, posterior):
        seen = _seen(codes)
        for panel, record in zip(row, chosen):
            panel.scatter(*seen(codes).T, s=3, color="0.75", linewidths=0)
            panel.scatter(*seen(layer[record]).T, s=4, color="C0",
                          linewidths=0)
            panel.set_xticks([])
            panel.set_yticks([])
    for panel, record in zip(axes[0], chosen):
        panel.set_title(f"{steps[record]} moves", fontsize=9)
    for i, row in enumerate(axes, 1):
        row[0].set_ylabel(f"z{i}", fontsize=9)
    pictures.save_figure(path, figure)


def _seen(codes):
    """A function that projects [num, width] to two coordinates per row."""
    if codes.shape[1] == 1:
        return lambda z: np.concatenate([z, 0 * z], 1)
    if codes.shape[1] == 2:
        return lambda z: z
    mean = codes.mean(0)
    directions = np.linalg.svd(codes - mean, full_matrices=False)[2][:2]
    return lambda z: (z - mean) @ directions.T
