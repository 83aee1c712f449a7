"""Pictures of molecules, and of the distributions of their properties."""

import io
from typing import Mapping, Sequence

from PIL import Image
from matplotlib.figure import Figure
import numpy as np
from scipy import stats

from lebm_tf.chemistry.smiles import parse, rdkit
from lebm_tf.evaluation import pictures

_LABELS = {"logp": "logP", "qed": "QED", "sa": "SA score",
           "weight": "molecular weight / (g/mol)",
           "penalized_logp": "penalised logP"}
_COLUMNS = 3
_NUM_BINS = 40
_CELL = 220  # Pixels.


def write_distributions(path: str, sets: Mapping[str, Mapping[
        str, np.ndarray]], title: str) -> None:
    """Draws the density of each property, of several sets of molecules.

    The half percent of a set at either end may lie outside of the picture.

    Args:
        path: File ending in .png.
        sets: By name, properties as of `chemistry.properties.of`. The first is
            the data; the others say how far they are from it.
        title: One line.

    Raises:
        ValueError: If there is no set, or an empty one.
    """
    names = list(next(iter(sets.values()), ()))
    if not names or not all(len(values[name]) for values in sets.values()
                            for name in names):
        raise ValueError("sets must hold at least one, and each a molecule, "
                         f"got {list(sets)}.")
    rows = -(-(len(names) + 1) // _COLUMNS)
    figure = Figure(figsize=(4.2 * _COLUMNS, 3.1 * rows + 0.4),
                    layout="constrained")
    figure.suptitle(title, fontsize=11)
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes, name in zip(panels, names):
        _density(axes, name, {key: np.asarray(values[name], np.float64)
                              for key, values in sets.items()})
    for axes in panels[len(names):]:
        axes.set_axis_off()
    handles, _ = panels[0].get_legend_handles_labels()
    panels[len(names)].legend(
        handles, [f"{key}, {len(values[names[0]])} molecules"
                  for key, values in sets.items()],
        loc="center", fontsize=10, frameon=False)
    pictures.save_figure(path, figure)


def _density(axes, name, values):
    ends = np.array([np.quantile(each, [0.005, 0.995])
                     for each in values.values()])
    low, high = ends[:, 0].min(), ends[:, 1].max()
    if high <= low:
        low, high = low - 0.5, high + 0.5
    bins = np.linspace(low, high, _NUM_BINS + 1)
    reference = next(iter(values.values()))
    for k, (key, each) in enumerate(values.items()):
        density = np.histogram(each, bins)[0] / len(each) / np.diff(bins)
        label = key
        if k:
            distance = stats.wasserstein_distance(each, reference)
            label = f"$W_1$ = {distance:.3g}"
        axes.stairs(density, bins, label=label, linewidth=1.4, fill=not k,
                    color="lightgrey" if not k else f"C{k - 1}")
    axes.set_xlim(low, high)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel(_LABELS.get(name, name))
    axes.set_ylabel("density")
    if len(values) > 1:
        axes.legend(*(part[1:] for part in axes.get_legend_handles_labels()),
                    fontsize=8)


def write_grid(path: str, smiles: Sequence[str], captions: Sequence[str] = (),
               columns: int = 0) -> None:
    """Draws molecules in rows, each above its caption.

    A string that is no molecule has the word invalid in its place.

    Args:
        path: File ending in .png.
        smiles: At least one.
        captions: One for each, a line or two; none without.
        columns: Molecules in a row; about a square if 0.

    Raises:
        InputError: If RDKit is not installed.
        ValueError: If there is no string, or not a caption for each.
    """
    if not len(smiles) or (len(captions) not in (0, len(smiles))):
        raise ValueError(
            "smiles must hold at least one string, and captions one for each "
            f"or none, got {len(smiles)} and {len(captions)}.")
    chem = rdkit("Chem")
    invalid = chem.MolFromSmiles("*")  # Without an atom nothing is written.
    invalid.GetAtomWithIdx(0).SetProp("atomLabel", "invalid")
    parsed = [molecule or invalid for molecule in parse(smiles)]
    columns = columns or pictures.square_columns(len(parsed))
    rows = -(-len(parsed) // columns)
    # Not the function that makes grids: in a notebook it is another one.
    canvas = rdkit("Chem.Draw.rdMolDraw2D").MolDraw2DCairo(
        columns * _CELL, rows * _CELL, _CELL, _CELL)
    # One long molecule would make all others specks.
    canvas.drawOptions().drawMolsSameScale = False
    canvas.DrawMolecules(parsed, legends=list(captions or [""] * len(parsed)))
    canvas.FinishDrawing()
    with Image.open(io.BytesIO(canvas.GetDrawingText())) as image:
        pictures.save_png(path, np.asarray(image.convert("RGB")))
