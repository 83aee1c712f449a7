"""Layer names that do not depend on previously built models.

Keras numbers layers per process: the third dense layer is called dense_2,
whatever model it belongs to. Layer names become operation names, and
TensorFlow's arithmetic optimizer adds terms in the order of these names, where
dense_10 precedes dense_9. A model built second in a process would therefore
round differently from the same model built first.
"""

import collections
import itertools
from typing import Iterator

import keras


def number_layers(model: keras.Model) -> None:
    """Renumbers the layers of a model that Keras named automatically.

    Numbers start from 0 for each class. Keras never uses the suffix _0, so if a
    layer has a child with it, all names of that class there were given by hand.
    Variables keep their paths.
    """
    numbers: dict[str, Iterator[int]] = collections.defaultdict(
        itertools.count)
    seen = set()

    def visit(layers):
        names = {layer.name for layer in layers}
        for layer in layers:
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            stem = _named_after(layer)
            if stem and f"{stem}_0" not in names:
                layer.name = f"{stem}_{next(numbers[stem])}"
            visit(list(layer._flatten_layers(
                include_self=False, recursive=False)))
    visit([model])


def _named_after(layer):
    """The class name in snake case, if the layer was named automatically, else
    ""."""
    stem, _, count = layer.name.rpartition("_")
    stem = stem if count.isdigit() else layer.name
    return stem if stem.replace("_", "") == type(layer).__name__.lower() else (
        "")
