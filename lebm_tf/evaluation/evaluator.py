"""What an evaluator owes: its settings, its needs, its metrics, its check."""

import abc
import dataclasses
import enum
import fnmatch
from typing import Any, ClassVar, Iterator, Mapping

from lebm_tf import kinds
from lebm_tf.datasets import DataSet
from lebm_tf.densities import Base
from lebm_tf.errors import InputError
from lebm_tf.ranges import Checked, PositiveInt

Metric = tuple[str, float | int | str]
# Kinds of data whose models draw without being given anything.
UNCONDITIONAL = (kinds.IMAGE, kinds.SEQUENCE, kinds.VECTOR, kinds.COUNTS)


class Better(enum.Enum):
    """Which way a metric is better.

    NEITHER is said of a metric that does not tell a good model from a bad
    one: of what was measured, of how, or of a baseline.
    """
    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"


@dataclasses.dataclass(frozen=True)
class EvaluationConfig(Checked):
    """Settings that evaluators share.

    Attributes:
        seed: Of all draws made while evaluating, any int.
        num_draws: Posterior draws averaged for each example.
    """
    seed: int = 0
    num_draws: PositiveInt = 5


@dataclasses.dataclass(frozen=True, eq=False)
class Context:
    """What an evaluator knows besides the model and its own settings.

    Attributes:
        data: The data; everything is measured on its held-out part.
        config: What evaluators share.
        directory: Folder for pictures and texts; "" makes none.
        anomaly_label: Class held out by `anomaly_split`; -1 for none.
        classifier_path: File that keeps the feature classifier between
            evaluations; "" trains it anew.
    """
    data: DataSet
    config: EvaluationConfig = EvaluationConfig()
    directory: str = ""
    anomaly_label: int = -1
    classifier_path: str = ""


@dataclasses.dataclass(frozen=True)
class Evaluator(Checked, abc.ABC):
    """One kind of measurement: a frozen dataclass of its own settings.

    A subclass declares its settings as fields with defaults, with ranges as of
    `lebm_tf.ranges`, and describes them under "Attributes:" in its docstring:
    each is a flag `--evaluation_NAME_FIELD` and is kept with a run. It joins
    the commands by an instance with the defaults, `EVALUATORS["NAME"] =
    MyEvaluator()`.

    Class attributes:
        name: Its name; metrics begin with it by custom.
        metrics: Every metric that it yields and that is a number -> which
            way it is better. A name may be a pattern as of `fnmatch`; an
            exact one goes before, then the first that matches. Any that is
            better LOWER or HIGHER can stop a run early.
        kinds: Kinds of data that it measures, of `lebm_tf.kinds`.
        min_examples: Fewest held-out examples.
        needs_energy: Whether the prior must have an energy.
        needs_base: Whether the prior must have a base whose density is known,
            so that its own can be told.
        needs_one_layer: Whether latents must be of one layer.
        needs_inference: Whether the model must infer latents.
        needs_directory: Whether it has nothing to do without a directory.
    """
    name: ClassVar[str]
    metrics: ClassVar[Mapping[str, Better]]
    kinds: ClassVar[tuple[str, ...]]
    min_examples: ClassVar[int] = 1
    needs_energy: ClassVar[bool] = False
    needs_base: ClassVar[bool] = False
    needs_one_layer: ClassVar[bool] = False
    needs_inference: ClassVar[bool] = False
    needs_directory: ClassVar[bool] = False

    @abc.abstractmethod
    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Yields flat names and values, as "frechet/samples", 29.4; writes
        its pictures, if any, under `context.directory`.

        Args:
            model: An `EnergyModel` that `check` lets pass.
            context: What else it may look at.
        """

    def check(self, context: Context, model: Any) -> None:
        """Finds out before training what would stop it after.

        A subclass that needs more than it can declare extends this.

        Raises:
            InputError: If model, data or settings lack what it needs.
        """
        data = context.data
        if data.kind not in self.kinds:
            wanted = " or ".join(kinds.KINDS[kind] for kind in self.kinds)
            raise InputError(f"evaluator {self.name} needs {wanted}, got "
                             f"{kinds.KINDS[data.kind]}, {data.name}.")
        if len(data.x_test) < self.min_examples:
            raise InputError(
                f"evaluator {self.name} needs at least {self.min_examples} "
                f"held-out {kinds.KINDS[data.kind]}, {data.name} has "
                f"{len(data.x_test)}.")
        if self.needs_directory and not context.directory:
            raise InputError(f"evaluator {self.name} needs a directory to "
                             "write to, got none.")
        if self.needs_energy and not model.has_energy:
            raise InputError(f"evaluator {self.name} needs a prior with an "
                             f"energy, got {type(model.prior).__name__}.")
        if self.needs_inference and "inference" not in model.roles:
            raise InputError(f"evaluator {self.name} needs a model that infers"
                             " latents of observations, got one without.")
        if self.needs_base and not has_base(model):
            raise InputError(
                f"evaluator {self.name} needs a prior over a base whose "
                f"density is known, got {type(model.prior).__name__}.")
        if self.needs_one_layer and model.num_layers > 1:
            raise InputError(f"evaluator {self.name} needs one layer of "
                             f"latents, got {model.num_layers}.")

    def better(self, metric: str) -> Better | None:
        """Which way a metric is better; None if it yields none such."""
        if metric in self.metrics:
            return self.metrics[metric]
        return next((better for pattern, better in self.metrics.items()
                     if fnmatch.fnmatchcase(metric, pattern)), None)


def has_base(model: Any) -> bool:
    """Whether an energy, if there is one, tilts a base whose density is known:
    that of a ladder of energies tilts none."""
    return not model.has_energy or isinstance(
        getattr(model.prior, "base", None), Base)
