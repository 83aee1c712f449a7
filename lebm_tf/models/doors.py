"""What every public method of a model checks first, and what none offers."""

import functools
from typing import Callable

import tensorflow as tf

from lebm_tf.kinds import SEQUENCE

_KEEPS = ("lebm_tf.fit(model, data, RunConfig(workdir=...)) keeps a model, "
          "lebm_tf.load(workdir) reads it, and lebm_tf.export writes a "
          "SavedModel")


class Doors:
    """Checks of the methods of `LatentInference`; and, in place of methods of
    `keras.Model` that have no meaning here, what to call instead."""

    def save(self, *args, **kwargs):
        """Not offered: raises NotImplementedError with what is."""
        raise NotImplementedError(
            f"a model is not saved alone, without its chains' state: {_KEEPS}.")

    def predict(self, *args, **kwargs):
        """Not offered: raises NotImplementedError with what is."""
        raise NotImplementedError(
            "predict has no one meaning here: sample draws new examples, infer "
            "gives latents of given ones, reconstruct and score what the model "
            "makes of them.")

    def evaluate(self, *args, **kwargs):
        """Not offered: raises NotImplementedError with what is."""
        raise NotImplementedError(
            "evaluate has no one loss to give here: score is of single "
            "examples, python -m lebm_tf.evaluate --workdir=... measures a "
            "run.")

    def __reduce__(self):
        raise TypeError(f"a model can't be pickled or copied: {_KEEPS}; "
                        "lebm_tf.build makes another one.")

    def __deepcopy__(self, memo):
        return self.__reduce__()

    def _inputs(self, x, condition) -> tuple:
        """Observations, and their conditions if any, as graphs take them."""
        self._check_condition(condition)
        x = self.likelihood.read(x)
        if not len(x):
            raise ValueError("x must hold at least one observation, got none.")
        self._check_shape(x)
        if condition is None:
            return (x,)
        rows = {len(leaf) for leaf in tf.nest.flatten(condition)}
        if rows != {len(x)}:
            raise ValueError(f"condition must have a row for each of the "
                             f"{len(x)} of x, got {sorted(rows)}.")
        return x, condition

    def _check_shape(self, x):
        """Refuses what would be broadcast against what the model makes."""
        if self.recipe is None or self.recipe.data.kind == SEQUENCE:
            return
        shape, found = list(self.recipe.data.shape), x.shape.as_list()
        if found[1:] != shape:
            one = "; of a single one x[None]" if found == shape else ""
            raise ValueError(f"x must have shape {['batch', *shape]}, got "
                             f"{found}{one}.".replace("'", ""))

    def _compiled(self, name: str, function: Callable, *fixed) -> Callable:
        """A tf.function of `function(*fixed, ...)`, traced once."""
        if not tf.executing_eagerly():
            raise RuntimeError(
                f"{name.partition('/')[0]} answers with arrays, and can't be "
                "called in a tf.function; lebm_tf.models.answers has the "
                "graphs behind it.")
        cache = self.__dict__.setdefault("_compiled_functions", {})
        key = (name, fixed, self.inference_batch)
        if key not in cache:
            cache[key] = tf.function(
                functools.partial(function, *fixed), autograph=False)
        return cache[key]
