"""What the configuration of every family owes to a run."""

from typing import ClassVar

from lebm_tf import kinds as data_kinds
from lebm_tf.ranges import Checked


class FamilyConfig(Checked):
    """The configuration of a family, a frozen dataclass.

    Class attributes:
        learns_from_labels: Whether its models learn from the examples that
            `label_split` keeps the labels of.
        checked_networks: Those of `build`'s networks that are z -> [batch]
            (energy), z -> x (generator) or x -> (mean, log_scale) (encoder)
            and nothing else, so that a user's own are checked before.
        kinds: Of the data that it takes, of `lebm_tf.kinds`; all, where its
            `build` itself finds out.
    """
    checked_networks: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar[tuple[str, ...]] = tuple(data_kinds.KINDS)
    learns_from_labels: ClassVar[bool] = False

    @property
    def is_classifier(self) -> bool:
        """Whether its model is a classifier alone, without p(x | z)."""
        return False

    @property
    def learns_prior_alone(self) -> bool:
        """Whether generator and encoder come from another run."""
        return False

    @property
    def backbones(self) -> tuple[str, ...]:
        """Families that --backbone may be of; none if it takes no other run's
        networks."""
        return ("image", "vae", "rae") if self.learns_prior_alone else ()
