"""Bases that are fitted to codes, not learned along with the energy."""

import abc

import numpy as np
import tensorflow as tf

from lebm_tf.densities.contracts import Base


class Fitted(Base):
    """A base that learns from codes when it is told to: a mixin of densities.

    It knows coordinates u in which what it was fitted to is white, so that
    one step size fits all directions of a chain.

    Attributes:
        latent_dim: Width of z.
        fitted_step: Variable, int64 []: the training step of the codes that
            it was fitted to, -1 before.
        min_codes: Fewest codes that it can be fitted to.
    """
    min_codes = 2

    def _number(self, name, shape, initializer="zeros", dtype=None):
        """A variable that is fitted, and no weight to learn."""
        return self.add_weight(name=name, shape=shape, trainable=False,
                               initializer=initializer, dtype=dtype)

    @abc.abstractmethod
    def fit(self, codes: np.ndarray, seed: int, step: int) -> None:
        """Fits the density.

        Args:
            codes: float [num, latent_dim].
            seed: Of what is random in it, any int.
            step: Training step of the codes; kept as `fitted_step`.

        `check_codes` tells beforehand what can not be fitted.
        """

    @abc.abstractmethod
    def white(self, z: tf.Tensor) -> tf.Tensor:
        """u of z, float [batch, latent_dim]."""

    @abc.abstractmethod
    def from_white(self, u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """z of u, and log |det dz/du|, float [batch]."""


def check_codes(codes: np.ndarray, num_needed: int) -> None:
    """Raises ValueError unless a base that chains start from can be fitted.

    Args:
        codes: float [num, latent_dim].
        num_needed: Fewest codes.
    """
    if len(codes) < num_needed:
        raise ValueError(f"the base needs at least {num_needed} codes to be "
                         f"fitted to, got {len(codes)}.")
    if not np.isfinite(codes).all():
        raise ValueError("the base needs codes that are finite, got some that "
                         "are not.")
    variances, directions = np.linalg.eigh(np.atleast_2d(np.cov(
        np.asarray(codes, np.float64), rowvar=False)))
    if variances[0] <= 1e-8 * max(variances[-1], 1e-30):
        shown = ", ".join(f"{number:.2f}" for number in directions[:4, 0])
        more = ", ..." if len(variances) > 4 else ""
        raise ValueError(
            "the base needs codes that vary in every direction, got a variance "
            f"of {max(variances[0], 0.0):.1e} along ({shown}{more}).")
