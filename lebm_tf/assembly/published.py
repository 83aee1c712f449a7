"""Options of the authors' programs that several families share."""

import dataclasses

from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.ranges import NonNegativeFloat, PositiveFloat


@dataclasses.dataclass(frozen=True)
class AsPublished(FamilyConfig):
    """A family with p0 = N(0, I), and maybe an encoder.

    Attributes:
        base_scale: Standard deviation of p0 = N(0, base_scale^2 I) (e_prior_sig
            in the authors' programs).
        joint_clip_norm: Maximum norm of the gradients of all parts except the
            energy, taken together, as in the authors' programs; 0 clips each
            part by its own clip_norm only.
        log_variance_head: Whether the encoder outputs log variances, as in the
            authors' programs, and not log scales. Adam makes steps of equal
            size for both, which are half as large in the log scale.
    """
    base_scale: PositiveFloat = 1.0
    joint_clip_norm: NonNegativeFloat = 0.0
    log_variance_head: bool = False
