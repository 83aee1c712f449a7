"""Inference with a model of two image domains."""

from typing import Any, NamedTuple

import numpy as np

from lebm_tf.mcmc import rng
from lebm_tf.models import answers
from lebm_tf.models.batching import in_batches
from lebm_tf.models.inference import LatentInference

DIRECTIONS = ("ab", "ba")


class Translation(NamedTuple):
    """Images of one domain translated into another.

    Attributes:
        x: After the chain, float32 [batch, height, width, channels].
        start: Output of the translator, of the same shape.
        energy: E(x) in the target domain, float32 [batch], in nats.
        start_energy: E(start), float32 [batch].
    """
    x: Any
    start: Any
    energy: Any
    start_energy: Any


class DomainInference(LatentInference):
    """Inference methods for translation."""

    def translate(self, x, direction: str = "ab", seed: int = 0, *,
                  num_steps: int | None = None) -> Translation:
        """Translates images.

        Args:
            x: Images in [-1, 1], float [batch, height, width, channels].
            direction: "ab" or "ba".
            seed: Any int; for chains with noise.
            num_steps: Moves that revise the translation; default: as in
                training. 0 returns the output of the translator.

        Raises:
            ValueError: If the direction is unknown, the model has no
                translators, or the images have another size.
        """
        role = self.check_translates(direction, np.shape(x)[1:])
        if not len(x):
            raise ValueError("x must have at least one image, got none.")
        if num_steps is not None and num_steps < 0:
            raise ValueError(f"num_steps must be >= 0, got {num_steps}.")
        steps = self.roles[role].sampler.num_steps if num_steps is None else (
            num_steps)
        step = self._compiled(
            f"translate/{direction}/{steps}",
            lambda seed, x: answers.translate(
                self, x, direction, seed, num_steps=steps))

        def batch(seed, rows, x):
            return step(rng.stream(seed, role), x)
        return Translation(*in_batches(
            batch, len(x), self.inference_batch, seed,
            (np.asarray(x, np.float32),)))

    def check_translates(self, direction: str, shape) -> str:
        """Returns the role of a direction.

        Args:
            direction: "ab" or "ba".
            shape: Shape of an image.

        Raises:
            ValueError: If the direction is unknown, the model has no
                translators, or the images have another size.
        """
        if direction not in DIRECTIONS:
            raise ValueError(f"direction must be {' or '.join(DIRECTIONS)}, "
                             f"got {direction!r}.")
        role = f"translate_{direction}"
        if role not in self.roles:
            raise ValueError(f"{role} needs a model of two domains, got one "
                             f"with the roles {', '.join(self.roles)}.")
        wanted = self.recipe and tuple(self.recipe.data.shape)
        if wanted and tuple(shape) != wanted:
            raise ValueError(
                f"images must be {'x'.join(map(str, wanted))} as in training, "
                f"got {'x'.join(map(str, shape))}.")
        return role
