"""Processing of long inputs in batches of fixed size."""

import math
from typing import Any, Callable

import numpy as np
import tensorflow as tf

from lebm_tf.mcmc import rng


def in_batches(function: Callable, num_rows: int, batch_size: int,
               seed: int, inputs) -> Any:
    """Calls function(seed, rows, *rows of inputs) on full batches and
    concatenates the results.

    The last batch is padded by repeating rows, so that nothing is retraced, and
    the padding is cut off.
    """
    parts = []
    for i in range(math.ceil(num_rows / batch_size)):
        rows = np.arange(i * batch_size, (i + 1) * batch_size) % num_rows
        piece = function(rng.fold_in(rng.make_seed(seed), i), rows,
                         *tf.nest.map_structure(
                             lambda leaf: tf.gather(leaf, rows), inputs))
        parts.append(tf.nest.map_structure(np.asarray, piece))
    return tf.nest.map_structure(
        lambda *leaves: np.concatenate(leaves)[:num_rows], *parts)
