"""Figures of predicted paths, coloured by their energy.

As in LB-EBM (arXiv:2104.03086): observed, true and predicted positions.
"""

import math
from typing import NamedTuple, Sequence

import numpy as np

from lebm_tf.evaluation import pictures

_OBSERVED, _TRUE = "tab:red", "black"
_TOP = 0.95  # Share of the paths within the colour scale.
_PANEL = (4.6, 3.9)  # Inches.
_LEGEND = 0.55


class Scene(NamedTuple):
    """One panel: the agents of a group, or one agent.

    Attributes:
        title: One line.
        past: Observed positions, float [n, past_length, 2].
        future: True positions, float [n, future_length, 2].
        predictions: float [n, K, future_length, 2].
        energy: Energy of each predicted path, in nats, float [n, K]. An energy
            given the past is known up to a constant per agent, so colours show
            the difference to the agent's lowest.
    """
    title: str
    past: np.ndarray
    future: np.ndarray
    predictions: np.ndarray
    energy: np.ndarray


def save_scenes(path: str, scenes: Sequence[Scene], unit: str,
                columns: int = 0) -> None:
    """Draws scenes side by side, with a common colour scale.

    Args:
        path: File ending in .png.
        scenes: At least one.
        unit: "px", drawn with y downwards as in a video, or "m".
        columns: Panels per row; 0 for an approximately square figure.

    Raises:
        ValueError: If there is no scene, or a shape is wrong.
    """
    if not scenes:
        raise ValueError("scenes must have at least one scene, got none.")
    for scene in scenes:
        _check(scene)
    # Slow to import.
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.lines import Line2D
    columns = columns or pictures.square_columns(len(scenes))
    columns = min(columns, len(scenes))
    rows = -(-len(scenes) // columns)
    size = _PANEL[0] * columns, _PANEL[1] * rows + _LEGEND
    figure = pictures.new_figure(figsize=size, layout=ConstrainedLayoutEngine(
        rect=(0.0, _LEGEND / size[1], 1.0, 1.0 - _LEGEND / size[1])))
    every = figure.subplots(rows, columns, squeeze=False).ravel()
    above = np.concatenate([_above_lowest(scene).ravel() for scene in scenes])
    # A quantile, so that outliers do not use up the colours; if all energies
    # are equal, the scale still needs a width.
    highest = float(np.quantile(above, _TOP)) or 1.0
    colours = _scale(highest)
    for axes, scene in zip(every, scenes):
        _draw(axes, scene, unit, colours)
    for axes in every[len(scenes):]:
        axes.set_axis_off()
    bar = figure.colorbar(
        colours, ax=list(every), shrink=0.8, pad=0.02,
        extend="max" if above.max() > highest else "neither")
    bar.set_label("energy above the agent's lowest / nats", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    num_paths = scenes[0].predictions.shape[1]
    figure.legend(
        handles=[
            Line2D([], [], color=_OBSERVED, marker="o", markersize=3,
                   label="observed"),
            Line2D([], [], color=_TRUE, marker="o", markersize=3,
                   linestyle="--", label="true"),
            Line2D([], [], color=colours.cmap(0.5),
                   label=f"{num_paths} predicted, by energy"),
            Line2D([], [], color=colours.cmap(0.0), linewidth=2.6,
                   label="predicted, lowest energy")],
        loc="lower center", ncols=4 if columns > 1 else 2, fontsize=8,
        frameon=False)
    pictures.save_figure(path, figure)


def _scale(highest):
    """Colours from 0 to `highest`, without the yellow end, which is invisible
    on white."""
    from matplotlib import cm, colormaps, colors
    return cm.ScalarMappable(
        colors.Normalize(0.0, highest),
        colors.LinearSegmentedColormap.from_list(
            "energy", colormaps["viridis"](np.linspace(0.0, 0.88, 64))))


def _draw(axes, scene, unit, colours):
    """Draws one panel."""
    from matplotlib.collections import LineCollection
    above = _above_lowest(scene)
    for past, future, paths, energy in zip(
            scene.past, scene.future, scene.predictions, above):
        origin = past[-1:]
        joined = np.concatenate(
            [np.broadcast_to(origin, (len(paths), 1, 2)), paths], axis=1)
        # The lowest last, so that none lies on top of it.
        order = np.argsort(-energy, kind="stable")
        widths = np.full(len(order), 0.9)
        widths[-1] = 2.6
        axes.add_collection(LineCollection(
            list(joined[order]), colors=colours.to_rgba(energy[order]),
            linewidths=widths))
        axes.plot(*past.T, color=_OBSERVED, marker="o", markersize=2.5,
                  linewidth=1.4)
        axes.plot(*np.concatenate([origin, future]).T, color=_TRUE,
                  linestyle="--", linewidth=1.2)
        axes.plot(*future.T, color=_TRUE, marker="o", markersize=2.5,
                  linestyle="")
    axes.set_aspect("equal", adjustable="datalim")
    axes.autoscale_view()
    if unit == "px":
        axes.invert_yaxis()
    lowest = scene.energy.min()
    axes.set_title(f"{scene.title}\nlowest energy {lowest:.2f} nats",
                   fontsize=9)
    axes.set_xlabel(f"x / {unit}", fontsize=8)
    axes.set_ylabel(f"y / {unit}", fontsize=8)
    axes.tick_params(labelsize=7)


def _above_lowest(scene) -> np.ndarray:
    energy = np.asarray(scene.energy, np.float64)
    return energy - energy.min(1, keepdims=True)


def _check(scene: Scene) -> None:
    """Raises ValueError unless the shapes of a scene match."""
    shapes = [np.shape(values) for values in scene[1:]]
    past, future, predictions, energy = shapes
    if (len(past) != 3 or len(future) != 3 or len(predictions) != 4
            or math.prod(predictions) == 0 or past[0] != future[0]
            or predictions[::2] != future[:2] or predictions[3] != 2
            or energy != predictions[:2]):
        raise ValueError(
            "a scene must have past [n, past_length, 2], future "
            "[n, future_length, 2], predictions [n, K, future_length, 2] and "
            f"energy [n, K], got {', '.join(str(list(s)) for s in shapes)}.")
    if not all(np.isfinite(values).all() for values in scene[1:]):
        raise ValueError(f"the scene {scene.title!r} must be finite, got NaN "
                         "or infinity.")
