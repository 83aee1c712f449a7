"""Noise levels between data and N(0, I)."""

import dataclasses
import math

import numpy as np

_NUM_BETAS = 1_000  # Steps of the diffusion that levels are taken from.
_BETAS = (1e-4, 0.02)  # Its first and last variance.


@dataclasses.dataclass(frozen=True)
class NoiseLevels:
    """x_0 = a_0 x + s_0 e, and x_{t+1} = a_{t+1} x_t + s_{t+1} e.

    e ~ N(0, I) is new at every level and a_t^2 + s_t^2 = 1, so data of variance
    1 keep their variance. Gao et al. 2021, arXiv:2012.08125, section 3.3.
    Models exist at the levels t = 0 .. T - 1, each conditioned on level t + 1.
    The model at level t is one of b_{t+1} x_t, where b is a, but 1 for level T,
    which carries no information about level T - 1 and constrains no chain.

    Attributes:
        scales: s_0 .. s_T, each in (0, 1], strictly increasing.

    Raises:
        ValueError: If there are fewer than three scales, or one is invalid.
    """
    scales: tuple[float, ...]

    def __post_init__(self):
        scales = tuple(float(scale) for scale in self.scales)
        object.__setattr__(self, "scales", scales)
        if len(scales) < 3:
            raise ValueError("noise_scales must hold at least 3 numbers, for 2 "
                             f"or more levels, got {len(scales)}.")
        for level, scale in enumerate(scales):
            if not 0 < scale <= 1:
                raise ValueError("noise_scales must lie in (0, 1], got "
                                 f"{scale:g} at level {level}.")
            if level and scale <= scales[level - 1]:
                raise ValueError(
                    f"noise_scales must increase, got {scale:g} at level "
                    f"{level} after {scales[level - 1]:g}.")

    @classmethod
    def published(cls, num_levels: int) -> "NoiseLevels":
        """The authors' T levels.

        They are taken from a diffusion of 1,000 steps with variances from 1e-4
        to 0.02: T cuts in the first half, and the end; `get_sigma_schedule` of
        ruiqigao/recovery_likelihood.

        Args:
            num_levels: T, from 2 to 501; more would repeat a cut.

        Raises:
            ValueError: If it is out of range.
        """
        most = _NUM_BETAS // 2 + 1
        if not 2 <= num_levels <= most:
            raise ValueError(f"num_levels must be from 2 to {most}, got "
                             f"{num_levels}.")
        stride = _NUM_BETAS // (2 * (num_levels - 1))
        cuts = [*range(0, stride * num_levels, stride), _NUM_BETAS - 1]
        kept = np.sqrt(1.0 - np.linspace(*_BETAS, _NUM_BETAS))
        factors = [np.prod(kept[first:last + 1]) for first, last in zip(
            [0, *(cut + 1 for cut in cuts)], cuts)]
        return cls(tuple(np.sqrt(1.0 - np.square(factors))))

    @classmethod
    def by_angles(cls, num_levels: int, least: float, most: float
                  ) -> "NoiseLevels":
        """The T levels of cooperative diffusion recovery likelihood.

        x_t is cos(u) x + sin(u) e, with equally spaced u: `angles`. Official
        main_uncond.py, AlvinZhuyx/CDRL.

        Args:
            num_levels: T >= 2.
            least, most: log(signal^2 / noise^2) of x_T and of x_0.
        """
        turned = angles(num_levels, least, most)
        kept = np.cos(turned)
        return cls((math.sin(turned[0]), *np.sqrt(
            1.0 - np.square(kept[1:] / kept[:-1]))))

    @property
    def num_levels(self) -> int:
        """The number of levels T."""
        return len(self.scales) - 1

    @property
    def factors(self) -> tuple[float, ...]:
        """a_0 .. a_T."""
        return tuple(math.sqrt(1.0 - scale**2) for scale in self.scales)

    @property
    def total_factors(self) -> tuple[float, ...]:
        """Factor on x at each level: a_0, a_0 a_1, ..."""
        return tuple(np.cumprod(self.factors).tolist())

    @property
    def total_scales(self) -> tuple[float, ...]:
        """Standard deviation of all noise in x_t given x, t = 0 .. T."""
        return tuple(math.sqrt(1.0 - factor**2)
                     for factor in self.total_factors)

    @property
    def model_factors(self) -> tuple[float, ...]:
        """b_0 .. b_T; the state of level t is b_{t+1} x_t."""
        return (*self.factors[:-1], 1.0)

    @property
    def tethered(self) -> tuple[bool, ...]:
        """For levels 0 .. T, whether a chain is held near its start."""
        return (True,) * self.num_levels + (False,)

    @property
    def weights(self) -> tuple[float, ...]:
        """s_1 / s_{t+1}, t = 0 .. T - 1: weights of the levels in losses."""
        return tuple(self.scales[1] / scale for scale in self.scales[1:])

    @property
    def proposal_scales(self) -> tuple[float, ...]:
        """Standard deviation of b_{t+1} x_t given x_{t+1} and x, t < T.

        Ho et al. 2020, arXiv:2006.11239, equation (7), in units of states.
        """
        totals, factors = self.total_scales, self.model_factors
        return tuple(factors[t + 1] * totals[t] / totals[t + 1]
                     * self.scales[t + 1] for t in range(self.num_levels))

    def step_sizes(self, factor: float, grow: bool = True
                   ) -> tuple[float, ...]:
        """Step sizes of chains at t = 0 .. T - 1, the roots of the authors'
        squared step sizes factor S_t / S_0 s_{t+1}^2, with S = `total_scales`.

        Args:
            factor: > 0, their `b_square` or `e_l_step_size`.
            grow: Whether the square grows with S_t; otherwise 1 replaces S_t.
        """
        totals = self.total_scales
        return tuple(
            math.sqrt(factor * (totals[t] if grow else 1.0) / totals[0])
            * self.scales[t + 1] for t in range(self.num_levels))


def angles(num_levels: int, least: float, most: float) -> np.ndarray:
    """u_0 .. u_T, equally spaced, with log(signal^2 / noise^2) = -2 log tan u.

    Args:
        num_levels: T >= 1.
        least, most: log(signal^2 / noise^2) of x_T and of x_0.

    Raises:
        ValueError: Unless least < most.
    """
    if not least < most:
        raise ValueError("log_ratio_min must be < log_ratio_max, got "
                         f"{least:g} and {most:g}.")
    first, last = (math.atan(math.exp(-0.5 * value))
                   for value in (most, least))
    return first + (last - first) * np.arange(num_levels + 1) / num_levels
