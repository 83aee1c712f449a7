"""Input checks of the public methods, and Keras methods that are not supported.
"""

import functools
from typing import Any, Callable, Mapping

import numpy as np
import tensorflow as tf

from lebm_tf.kinds import SEQUENCE
from lebm_tf.mcmc import rng
from lebm_tf.models.roles import Role
from lebm_tf.samplers import Draws

_KEEPS = ("lebm_tf.fit(model, data, RunConfig(workdir=...)) saves a model, "
          "lebm_tf.load(workdir) loads it, and lebm_tf.export_model writes a "
          "SavedModel")


def _shown(shape) -> str:
    return f"[{', '.join(map(str, shape))}]"


class Doors:
    """Input checks of `LatentInference`. Methods of `keras.Model` that have no
    meaning here raise NotImplementedError and name the alternative."""

    inference_batch = 100
    # Set by `EnergyModel`.
    roles: dict[str, Role]
    prior: Any
    likelihood: Any
    encoder: Any
    context: Any
    attribute: Any
    recipe: Any

    def save(self, *args, **kwargs):
        """Not supported; raises NotImplementedError."""
        raise NotImplementedError(
            "save is not supported, because it would lose the state of the "
            f"chains: {_KEEPS}.")

    def predict(self, *args, **kwargs):
        """Not supported; raises NotImplementedError."""
        raise NotImplementedError(
            "predict is not supported: use sample for new examples, infer for "
            "latents of given ones, and reconstruct or score for what the "
            "model makes of them.")

    def evaluate(self, *args, **kwargs):
        """Not supported; raises NotImplementedError."""
        raise NotImplementedError(
            "evaluate is not supported: use score for single examples, and "
            "python -m lebm_tf.evaluate --workdir=... for a run.")

    def __reduce__(self):
        raise TypeError(f"a model cannot be pickled or copied: {_KEEPS}; "
                        "lebm_tf.build makes a new one.")

    def __deepcopy__(self, memo):
        return self.__reduce__()

    def target(self, role: str, batch: Mapping[str, Any],
               seed: rng.Seed | None = None):
        """The target of a role's chains, position -> [chains].

        Args:
            role: Key of `roles`.
            batch: Batch with the inputs of the role.
            seed: Seed of the step in training, else None.

        Raises:
            ValueError: If the role has no target, because it runs no chains.
        """
        target = self.roles[role].target
        if target is None:
            raise ValueError(f"role {role!r} has no target, because its "
                             "sampler runs no chains.")
        return target(self, Draws(batch, {}, seed))

    def _inputs(self, x, condition) -> tuple:
        """Checks observations and their conditions, and converts them for
        graphs."""
        self._check_condition(condition)
        x = self.likelihood.read(x)
        if not len(x):
            raise ValueError("x must have at least one observation, got none.")
        self._check_shape(x)
        if condition is None:
            return (x,)
        rows = {len(leaf) for leaf in tf.nest.flatten(condition)}
        if rows != {len(x)}:
            raise ValueError("condition must have one row for each of the "
                             f"{len(x)} rows of x, got {sorted(rows)}.")
        return x, condition

    def _check_shape(self, x):
        """Refuses shapes that would otherwise be broadcast silently."""
        if self.recipe is None or self.recipe.data.kind == SEQUENCE:
            return
        shape, found = list(self.recipe.data.shape), x.shape.as_list()
        if found[1:] != shape:
            one = ("; for a single example pass "
                   "x[None]") if found == shape else ""
            raise ValueError(f"x must have shape {['batch', *shape]}, got "
                             f"{found}{one}.".replace("'", ""))

    def _check_latents(self, z, condition=None):
        """Raises ValueError if latents have other shapes than samples; does
        nothing where no samples can be drawn without a condition."""
        role = self.roles.get("generation")
        batch = {} if condition is None else {"condition": (
            tf.nest.map_structure(lambda leaf: leaf[:1], condition))}
        if role is None or role.view and role.view(batch) is None:
            return
        if "_latent_shapes" not in self.__dict__:
            self.__dict__["_latent_shapes"] = [
                tuple(leaf.shape[1:]) for leaf in tf.nest.flatten(
                    role.sampler.latents(Draws(batch)))]
        wanted = self.__dict__["_latent_shapes"]
        found = [tuple(leaf.shape) if tf.is_tensor(leaf) else np.shape(leaf)
                 for leaf in tf.nest.flatten(z)]
        if [shape[1:] for shape in found] != wanted:
            shapes = [" and ".join(map(_shown, some)) for some in (
                [("batch", *shape) for shape in wanted], found)]
            raise ValueError(f"z must have shape {shapes[0]}, got "
                             f"{shapes[1]}.")

    def _compiled(self, name: str, function: Callable, *fixed) -> Callable:
        """A tf.function of `function(*fixed, ...)`, traced once."""
        if not tf.executing_eagerly():
            raise RuntimeError(
                f"{name.partition('/')[0]} returns arrays and cannot be called "
                "in a tf.function; use the graph functions of "
                "lebm_tf.models.answers.")
        cache = self.__dict__.setdefault("_compiled_functions", {})
        key = (name, fixed, self.inference_batch)
        if key not in cache:
            cache[key] = tf.function(
                functools.partial(function, *fixed), autograph=False)
        return cache[key]

    def _check_condition(self, condition):
        if self.context is not None and condition is None:
            raise ValueError("condition must be the output of "
                             "model.context(...), got None.")
        known = 0 if condition is None or self.prior is None else (
            self.prior.num_symbols)
        wrong = [symbol for symbol in np.unique(condition)
                 if not -1 <= symbol < known] if known else []
        if wrong:
            raise ValueError("condition must contain symbols from 0 to "
                             f"{known - 1}, or -1 for none, got {wrong[0]}.")

    def _needs_attribute(self):
        if self.attribute is None:
            raise ValueError("attribute needs a model with an attribute y, got "
                             "one without.")
