"""Settings of evaluation: flags, and JSON saved with a run."""

import dataclasses
from typing import Any, Iterable, Mapping

from absl import flags

from lebm_tf.configuration import fields as configuration
from lebm_tf.errors import InputError, nearest
from lebm_tf.evaluation.evaluator import EvaluationConfig, Evaluator
from lebm_tf.evaluation.evaluators import EVALUATORS, named

_PREFIX = "evaluation_"


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of evaluation.

    Attributes:
        config: Settings that evaluators share.
        evaluators: Evaluators whose settings differ from `EVALUATORS`, in any
            order, each at most once.
    """
    config: EvaluationConfig = EvaluationConfig()
    evaluators: tuple[Evaluator, ...] = ()

    def select(self, names: Iterable[str]) -> tuple[Evaluator, ...]:
        """Evaluators of these names, with the settings of the run.

        Raises:
            InputError: If a name is unknown.
        """
        own = {evaluator.name: evaluator for evaluator in self.evaluators}
        return tuple(own.get(name) or named(name) for name in names)


def fields() -> list[configuration.Field]:
    """Flags of shared settings, as --evaluation_seed, and of the settings of
    evaluators, as --evaluation_frechet_num_samples."""
    found = configuration.fields(EvaluationConfig, _PREFIX)
    for name, evaluator in EVALUATORS.items():
        found += configuration.fields(
            type(evaluator), f"{_PREFIX}{name}_", config=evaluator)
    return found


def from_flags(values: flags.FlagValues, base: Settings = Settings()
               ) -> Settings:
    """The settings `base`, overridden by the flags given.

    Raises:
        InputError: If a value has the wrong type or is out of range.
    """
    return Settings(
        configuration.from_flags(
            EvaluationConfig, values, _PREFIX, base.config),
        tuple(configuration.from_flags(
            type(evaluator), values, f"{_PREFIX}{evaluator.name}_", evaluator)
            for evaluator in base.select(EVALUATORS)))


def to_dict(settings: Settings) -> dict[str, Any]:
    """The settings of all evaluators, as JSON types."""
    return {"config": configuration.to_dict(settings.config),
            "evaluators": {
                evaluator.name: configuration.to_dict(evaluator)
                for evaluator in settings.select(EVALUATORS)}}


def from_dict(values: Mapping[str, Any]) -> Settings:
    """Settings from the dict that `to_dict` returns; missing ones take
    defaults.

    Raises:
        InputError: If an evaluator or setting is unknown, or a value is out of
            range.
    """
    for name in values["evaluators"]:
        if name not in EVALUATORS:
            raise InputError(
                f"an evaluator {name!r} is needed, got none of that name"
                f"{nearest(name, EVALUATORS)}; is a plugin missing?")
    return Settings(
        configuration.from_dict(EvaluationConfig, values["config"]),
        tuple(configuration.from_dict(type(EVALUATORS[name]), own)
              for name, own in values["evaluators"].items()))
