"""Base class of the configurations of families."""

from typing import ClassVar

from lebm_tf import kinds as data_kinds
from lebm_tf.ranges import Checked


class FamilyConfig(Checked):
    """Configuration of a family, a frozen dataclass.

    Class attributes:
        learns_from_labels: Whether its models use the labels of `label_split`.
        checked_networks: Networks of `build` that are exactly z -> [batch]
            (energy), z -> x (generator) or x -> (mean, log_scale) (encoder), so
            that a user's layers can be checked beforehand.
        kinds: Kinds of data it accepts, of `lebm_tf.kinds`; all kinds if its
            `build` checks them itself.
    """
    checked_networks: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar[tuple[str, ...]] = tuple(data_kinds.KINDS)
    learns_from_labels: ClassVar[bool] = False

    @property
    def is_classifier(self) -> bool:
        """Whether the model is only a classifier, without p(x | z)."""
        return False

    @property
    def learns_prior_alone(self) -> bool:
        """Whether generator and encoder come from another run."""
        return False

    @property
    def backbones(self) -> tuple[str, ...]:
        """Families allowed for --backbone; empty if the family uses none."""
        return ("image", "vae", "rae") if self.learns_prior_alone else ()
