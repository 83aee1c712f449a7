"""Denoising loss of a diffusion model on states that chains refined."""

import dataclasses
from typing import Any

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.samplers.draws import Draws

CONTEXTS = ("masked", "given", "none")


@dataclasses.dataclass(frozen=True)
class DenoisingError:
    """mean of |e - e^(z_u, u, x)|^2 / 2 at times u uniform on [0, 1).

    The states z+ are constants: the diffusion model learns the final states of
    chains, `loss_variational` of the public code of Yu et al. 2023,
    arXiv:2310.03218.

    Attributes:
        diffusion: A `densities.DiffusionEncoder`.
        context: Context of the rows: masked (of x, except for masked rows),
            given (of x) or none.
        mask: Role whose positions, [rows] in [0, 1), are compared with
            `mask_rate`. It is drawn outside the tape, so it is the same for all
            updates of a step.
        mask_rate: Fraction of the rows without x.

    Raises:
        ValueError: If the context is unknown.
    """
    diffusion: Any
    context: str = "masked"
    mask: str = "masked"
    mask_rate: float = 0.2

    def __post_init__(self):
        if self.context not in CONTEXTS:
            raise ValueError(f"context must be one of {', '.join(CONTEXTS)}, "
                             f"got {self.context!r}.")

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        return draws.mean(self.rows(model, draws))

    def rows(self, model: Any, draws: Draws) -> tf.Tensor:
        """The error of every row, float [rows]."""
        z = tf.stop_gradient(draws.positive.position)
        seed = rng.stream(rng.stream(draws.seed, "denoising"), self.context)
        context = self._context(draws, rng.stream(seed, "context"))
        u = rng.uniform([draws.num_rows], rng.stream(seed, "time"), z.dtype)
        noise = rng.normal_like(z, rng.stream(seed, "noise"))
        return self.diffusion.denoising_error(z, context, u, noise)

    def _context(self, draws, seed):
        if self.context == "none":
            return self.diffusion.random_context(draws.num_rows, seed)
        (given,) = self.diffusion.parameters(
            draws.batch["x"], condition=draws.batch.get("condition"))
        if self.context == "given":
            return given
        kept = draws.states[self.mask].position >= self.mask_rate
        return tf.where(kept[:, None], given, self.diffusion.random_context(
            draws.num_rows, seed))
