"""Interface of evaluators: settings, requirements, metrics and check."""

import abc
import dataclasses
import enum
import fnmatch
from typing import Any, ClassVar, Iterator, Mapping

from lebm_tf import kinds
from lebm_tf.densities import Base
from lebm_tf.errors import InputError
from lebm_tf.ranges import Checked, PositiveInt

Metric = tuple[str, float | int | str]
# Kinds of data whose models sample unconditionally.
UNCONDITIONAL = (kinds.IMAGE, kinds.SEQUENCE, kinds.VECTOR, kinds.COUNTS)


class Better(enum.Enum):
    """Direction in which a metric improves.

    NEITHER marks a metric that does not rank models: a setting, a count or a
    baseline.
    """
    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"


@dataclasses.dataclass(frozen=True)
class EvaluationConfig(Checked):
    """Settings that all evaluators share.

    Attributes:
        seed: Seed of all draws during evaluation, any int.
        num_draws: Number of posterior draws to average over for each example.
    """
    seed: int = 0
    num_draws: PositiveInt = 5


@dataclasses.dataclass(frozen=True, eq=False)
class Context:
    """Inputs of an evaluator besides the model and its own settings.

    Attributes:
        data: `DataSet` of a kind that the evaluator supports; metrics are
            measured on its held-out part.
        config: Settings that evaluators share.
        directory: Folder for figures and texts; "" to write none.
        anomaly_label: Class held out by `anomaly_split`; -1 for none.
        classifier_path: File that keeps the feature classifier between
            evaluations; "" to train it each time.
    """
    data: Any
    config: EvaluationConfig = EvaluationConfig()
    directory: str = ""
    anomaly_label: int = -1
    classifier_path: str = ""


@dataclasses.dataclass(frozen=True)
class Evaluator(Checked, abc.ABC):
    """One kind of measurement: a frozen dataclass of its own settings.

    A subclass declares its settings as fields with defaults, with ranges as in
    `lebm_tf.ranges`, and describes them under "Attributes:" in its docstring:
    each is a flag `--evaluation_NAME_FIELD` and is saved with a run. To
    register it for the commands, add an instance with the defaults:
    `EVALUATORS["NAME"] = MyEvaluator()`.

    Class attributes:
        name: Its name; its metrics start with it by convention.
        metrics: Direction of every numeric metric that it yields, by name. A
            name may be an `fnmatch` pattern; an exact name takes precedence,
            then the first pattern that matches. A metric that is better LOWER
            or HIGHER can be used for early stopping.
        kinds: Kinds of data that it supports, of `lebm_tf.kinds`.
        min_examples: Smallest number of held-out examples.
        needs_energy: Whether the prior must have an energy.
        needs_base: Whether the prior must have a base with a known density, so
            that its own density can be estimated.
        needs_one_layer: Whether the model must have one layer of latents.
        needs_inference: Whether the model must infer latents.
        needs_chains: Whether samples must come from prior chains.
        needs_directory: Whether it is useless without a directory.
    """
    name: ClassVar[str]
    metrics: ClassVar[Mapping[str, Better]]
    kinds: ClassVar[tuple[str, ...]]
    min_examples: ClassVar[int] = 1
    needs_energy: ClassVar[bool] = False
    needs_base: ClassVar[bool] = False
    needs_one_layer: ClassVar[bool] = False
    needs_inference: ClassVar[bool] = False
    needs_chains: ClassVar[bool] = False
    needs_directory: ClassVar[bool] = False

    @abc.abstractmethod
    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Yields flat names and values, as "frechet/samples", 29.4.

        Figures, if any, are written to `context.directory`.

        Args:
            model: An `EnergyModel` that passes `check`.
            context: Data and shared settings.
        """

    def check(self, context: Context, model: Any) -> None:
        """Checks before training that the evaluator can run after it.

        A subclass with requirements beyond the class attributes extends this.

        Raises:
            InputError: If the model, data or settings do not meet the
                requirements.
        """
        data = context.data
        if data.kind not in self.kinds:
            wanted = " or ".join(kinds.KINDS[kind] for kind in self.kinds)
            raise InputError(f"evaluator {self.name} needs {wanted}, got "
                             f"{kinds.KINDS[data.kind]}, {data.name}.")
        if len(data.x_test) < self.min_examples:
            raise InputError(
                f"evaluator {self.name} needs at least {self.min_examples} "
                f"held-out {kinds.KINDS[data.kind]}, got {len(data.x_test)} in "
                f"{data.name}.")
        if self.needs_directory and not context.directory:
            raise InputError(f"evaluator {self.name} needs a directory to "
                             "write to, got none.")
        if self.needs_energy and not model.has_energy:
            raise InputError(f"evaluator {self.name} needs a prior with an "
                             f"energy, got {type(model.prior).__name__}.")
        if self.needs_inference and "inference" not in model.roles:
            raise InputError(f"evaluator {self.name} needs a model that infers "
                             "latents, got one without inference.")
        if self.needs_chains and not model.generation.climbs:
            raise InputError(f"evaluator {self.name} needs prior chains, got "
                             "samples of a flow alone (prior_sampler=flow).")
        if self.needs_base and not has_base(model):
            raise InputError(
                f"evaluator {self.name} needs a prior over a base with a known "
                f"density, got {type(model.prior).__name__}.")
        if self.needs_one_layer and model.num_layers > 1:
            raise InputError(f"evaluator {self.name} needs one layer of "
                             f"latents, got {model.num_layers}.")

    def better(self, metric: str) -> Better | None:
        """Direction in which a metric improves; None if it does not yield it.
        """
        if metric in self.metrics:
            return self.metrics[metric]
        return next((better for pattern, better in self.metrics.items()
                     if fnmatch.fnmatchcase(metric, pattern)), None)


def has_base(model: Any) -> bool:
    """Whether the prior has a base with a known density; an energy of noise
    levels has none."""
    return not model.has_energy or isinstance(
        getattr(model.prior, "base", None), Base)
