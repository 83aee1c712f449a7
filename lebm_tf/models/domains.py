"""What one does with a model of two domains of pictures."""

from typing import Any, NamedTuple

import numpy as np

from lebm_tf.mcmc import rng
from lebm_tf.models import answers
from lebm_tf.models.batching import in_batches

DIRECTIONS = ("ab", "ba")


class Translation(NamedTuple):
    """Pictures of one domain as ones of the other.

    Attributes:
        x: After the chain, float32 [batch, height, width, channels].
        start: As the translator makes them, of the same shape.
        energy: E(x) in the other domain, float32 [batch], in nats.
        start_energy: E(start), float32 [batch].
    """
    x: Any
    start: Any
    energy: Any
    start_energy: Any


class DomainInference:
    """Methods of `LatentInference` on the translations of a model."""

    def translate(self, x, direction: str = "ab", seed: int = 0, *,
                  num_steps: int | None = None) -> Translation:
        """Translates pictures.

        Args:
            x: Pictures in [-1, 1], float [batch, height, width, channels].
            direction: ab or ba.
            seed: Any int; of chains with noise.
            num_steps: Moves that revise the translation, if not as trained; 0
                leaves it as the translator makes it.

        Raises:
            ValueError: If there is no such direction or model, or the pictures
                have another size.
        """
        role = self.check_translates(direction, np.shape(x)[1:])
        if not len(x):
            raise ValueError("x must hold at least one picture, got none.")
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
        """The role of a direction.

        Args:
            direction: ab or ba.
            shape: Of a picture.

        Raises:
            ValueError: If there is no such direction or model, or pictures
                have another size.
        """
        if direction not in DIRECTIONS:
            raise ValueError(f"direction must be {' or '.join(DIRECTIONS)}, "
                             f"got {direction!r}.")
        role = f"translate_{direction}"
        if role not in self.roles:
            raise ValueError(f"{role} needs a model of two domains, got one "
                             f"with {', '.join(self.roles)}.")
        wanted = self.recipe and tuple(self.recipe.data.shape)
        if wanted and tuple(shape) != wanted:
            raise ValueError(
                f"pictures must be {'x'.join(map(str, wanted))} as in "
                f"training, got {'x'.join(map(str, shape))}.")
        return role
