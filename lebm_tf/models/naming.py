"""Names of layers that do not depend on what was built before.

Keras counts: the third dense layer of a process is called dense_2, whatever
model it belongs to. Layers name the operations of a graph, and TensorFlow's
arithmetic optimizer adds terms in the order of such names, where dense_10
comes before dense_9. A model built as the second one of a process then rounds
otherwise than the same model built as the first.
"""

import collections
import itertools

import keras


def number_layers(model: keras.Model) -> None:
    """Numbers the layers of a model that are called after their class.

    From 0 on, for each class. They must have their variables, whose paths
    stay as they are.
    """
    numbers = collections.defaultdict(itertools.count)
    for layer in model._flatten_layers(include_self=True, recursive=True):
        stem, _, count = layer.name.rpartition("_")
        if not count.isdigit():
            stem = layer.name
        if stem.replace("_", "") == type(layer).__name__.lower():
            layer.name = f"{stem}_{next(numbers[stem])}"
