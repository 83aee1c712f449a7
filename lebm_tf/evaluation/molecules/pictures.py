"""Figures of molecules and of the distributions of their properties."""

import io
from typing import Mapping, Sequence

from PIL import Image
import numpy as np

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
    """Draws the density of each property for several sets of molecules.

    Up to half a percent of a set at either end may be cut off.

    Args:
        path: File ending in .png.
        sets: Properties by name of the set, as returned by
            `chemistry.properties.of`. The first is the data; distances of the
            others to it are shown.
        title: One line.

    Raises:
        ValueError: If there is no set, or a set is empty.
    """
    names = list(next(iter(sets.values()), ()))
    if not names or not all(len(values[name]) for values in sets.values()
                            for name in names):
        raise ValueError("sets must have at least one set, each with a "
                         f"molecule, got {list(sets)}.")
    rows = -(-(len(names) + 1) // _COLUMNS)
    figure = pictures.new_figure(
        figsize=(4.2 * _COLUMNS, 3.1 * rows + 0.4), layout="constrained")
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
    from scipy import stats  # Slow to import.
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

    The word "invalid" takes the place of a string that is not a molecule.

    Args:
        path: File ending in .png.
        smiles: At least one SMILES.
        captions: One per molecule, of one or two lines; may be empty.
        columns: Molecules per row; 0 for an approximately square grid.

    Raises:
        InputError: If RDKit is not installed.
        ValueError: If there is no string, or numbers of captions and molecules
            differ.
    """
    if not len(smiles) or (len(captions) not in (0, len(smiles))):
        raise ValueError(
            "smiles must have at least one string, and captions one for each "
            f"or none, got {len(smiles)} and {len(captions)}.")
    chem = rdkit("Chem")
    invalid = chem.MolFromSmiles("*")  # The label needs an atom.
    invalid.GetAtomWithIdx(0).SetProp("atomLabel", "invalid")
    parsed = [molecule or invalid for molecule in parse(smiles)]
    columns = columns or pictures.square_columns(len(parsed))
    rows = -(-len(parsed) // columns)
    # RDKit's grid function is avoided, since notebooks replace it.
    canvas = rdkit("Chem.Draw.rdMolDraw2D").MolDraw2DCairo(
        columns * _CELL, rows * _CELL, _CELL, _CELL)
    # Otherwise one long molecule would shrink all others.
    canvas.drawOptions().drawMolsSameScale = False
    canvas.DrawMolecules(parsed, legends=list(captions or [""] * len(parsed)))
    canvas.FinishDrawing()
    with Image.open(io.BytesIO(canvas.GetDrawingText())) as image:
        pictures.save_png(path, np.asarray(image.convert("RGB")))
