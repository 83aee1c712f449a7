"""Bases that are fitted to codes instead of trained with the energy."""

import abc
from typing import Callable

import numpy as np
import tensorflow as tf

from lebm_tf.densities.contracts import Base


class Fitted(Base):
    """A base that is fitted to codes on request; a mixin of densities.

    It defines coordinates u in which the codes are white, so that one step size
    fits all directions of a chain.

    Attributes:
        latent_dim: Dimension of z.
        fitted_step: Training step of the codes it was fitted to, a variable,
            int64 []; -1 before the first fit.
        min_codes: Minimum number of codes for a fit.
    """
    min_codes = 2
    add_weight: Callable  # Of `keras.Model`.

    def _number(self, name, shape, initializer="zeros", dtype=None):
        """A variable that is set by `fit`, not trained."""
        return self.add_weight(name=name, shape=shape, trainable=False,
                               initializer=initializer, dtype=dtype)

    @abc.abstractmethod
    def fit(self, codes: np.ndarray, seed: int, step: int) -> None:
        """Fits the density; call `check_codes` first.

        Args:
            codes: float [num, latent_dim].
            seed: Seed of the fit, any int.
            step: Training step of the codes; kept as `fitted_step`.
        """

    @abc.abstractmethod
    def white(self, z: tf.Tensor) -> tf.Tensor:
        """u of z, float [batch, latent_dim]."""

    @abc.abstractmethod
    def from_white(self, u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """z of u, float [batch, latent_dim], and log |det dz/du|, float
        [batch]."""


def check_codes(codes: np.ndarray, num_needed: int) -> None:
    """Raises ValueError unless a base can be fitted to the codes.

    Args:
        codes: float [num, latent_dim].
        num_needed: Minimum number of codes.
    """
    if len(codes) < num_needed:
        raise ValueError(f"fitting the base needs at least {num_needed} codes, "
                         f"got {len(codes)}.")
    if not np.isfinite(codes).all():
        raise ValueError("fitting the base needs finite codes, got some that "
                         "are not.")
    variances, directions = np.linalg.eigh(np.atleast_2d(np.cov(
        np.asarray(codes, np.float64), rowvar=False)))
    if variances[0] <= 1e-8 * max(variances[-1], 1e-30):
        shown = ", ".join(f"{number:.2f}" for number in directions[:4, 0])
        more = ", ..." if len(variances) > 4 else ""
        raise ValueError(
            "fitting the base needs codes that vary in every direction, got a "
            f"variance of {max(variances[0], 0.0):.1e} along ({shown}{more}).")
