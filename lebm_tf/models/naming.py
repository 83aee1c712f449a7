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
    """Numbers those layers of a model anew that Keras named by itself.

    From 0 on, for each class; Keras has no name that ends in _0, so beside
    one all of a layer's were given. Variables keep their paths.
    """
    numbers, seen = collections.defaultdict(itertools.count), set()

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
    """The name of its class as Keras writes it, if it is called so."""
    stem, _, count = layer.name.rpartition("_")
    stem = stem if count.isdigit() else layer.name
    return stem if stem.replace("_", "") == type(layer).__name__.lower() else (
        "")
