"""Samples of each symbol, as a figure or text."""

import os
from typing import Any

import numpy as np

from lebm_tf.evaluation import pictures
from lebm_tf.evaluation.evaluator import Context
from lebm_tf.files import atomic_path
from lebm_tf.kinds import COUNTS, IMAGE, SEQUENCE

_NUM_PICTURES = 10
_NUM_DRAWS = 100
_NUM_WORDS = 12
_NUM_TEXTS = 5


def write(model: Any, context: Context) -> str:
    """Writes draws of p(x | y): one row of images, words or sequences per
    symbol.

    Args:
        model: A model whose prior has symbols.
        context: Context with a directory.

    Returns:
        The name of the file, symbols.png or symbols.txt; "" for vectors, for
        which nothing is written.
    """
    kind = context.data.kind
    if kind == IMAGE:
        samples = _draw(model, _NUM_PICTURES, context.config.seed).x
        pictures.save_png(
            os.path.join(context.directory, "symbols.png"),
            pictures.enlarge(pictures.grid(samples, _NUM_PICTURES)))
        return "symbols.png"
    if kind not in (COUNTS, SEQUENCE):
        return ""
    rows = (_words if kind == COUNTS else _texts)(model, context)
    names = context.data.classes
    path = os.path.join(context.directory, "symbols.txt")
    with atomic_path(path) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            for symbol, row in enumerate(rows):
                name = f" ({names[symbol]})" if (
                    len(names) == len(rows)) else ""
                file.write(f"{symbol}{name}: {row}\n")
    return "symbols.txt"


def _draw(model, count, seed):
    """`count` samples of every symbol, symbol after symbol."""
    symbols = np.repeat(np.arange(model.prior.num_symbols, dtype=np.int32),
                        count)
    return model.sample(len(symbols), seed, condition=symbols)


def _words(model, context):
    """The words that a symbol favours most over other symbols."""
    probs = _draw(model, _NUM_DRAWS, context.config.seed).x
    probs = probs.reshape(-1, _NUM_DRAWS, probs.shape[-1]).mean(1)
    # p(word | y) log p(word | y) / p(word): frequent, and more than average.
    gain = probs * np.log(np.maximum(probs, 1e-12) / np.maximum(
        probs.mean(0), 1e-12))
    best = np.argsort(-gain, axis=1)[:, :_NUM_WORDS]
    return [", ".join(context.data.words[word] for word in row)
            for row in best]


def _texts(model, context):
    """A few sequences of every symbol."""
    tokens = _draw(model, _NUM_TEXTS, context.config.seed).x
    texts = context.data.vocabulary.texts(tokens)
    return [" | ".join(texts[i:i + _NUM_TEXTS])
            for i in range(0, len(texts), _NUM_TEXTS)]
