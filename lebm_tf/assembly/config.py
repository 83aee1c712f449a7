"""Base class of the configurations of families."""

from typing import ClassVar

from lebm_tf import kinds as data_kinds
from lebm_tf.assembly.data import DataSpec
from lebm_tf.assembly.probes import Probe
from lebm_tf.ranges import Checked


class FamilyConfig(Checked):
    """Configuration of a family, a frozen dataclass.

    Class attributes:
        learns_from_labels: Whether its models use the labels of `label_split`.
        kinds: Kinds of data it accepts, of `lebm_tf.kinds`; all kinds if its
            `build` checks them itself.
    """
    kinds: ClassVar[tuple[str, ...]] = tuple(data_kinds.KINDS)
    learns_from_labels: ClassVar[bool] = False

    def probes(self, data: DataSpec) -> dict[str, Probe]:
        """Probes of a user's layers, by argument of `build`.

        `families.build` calls each given layer with its probe, which builds it,
        and checks the shapes of its outputs.

        Args:
            data: Specification of the data.
        """
        return {}

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
