"""Evaluators by name, and what runs them."""

from typing import Any, Iterable

from absl import logging
import numpy as np

from lebm_tf.errors import InputError, nearest
from lebm_tf.evaluation.anomaly import AnomalyEvaluator
from lebm_tf.evaluation.evaluator import Better, Context, Evaluator
from lebm_tf.evaluation.images.frechet import FrechetEvaluator
from lebm_tf.evaluation.images.gallery import PicturesEvaluator
from lebm_tf.evaluation.images.levels import LevelsEvaluator
from lebm_tf.evaluation.images.reconstruction import ReconstructionEvaluator
from lebm_tf.evaluation.images.translation import TranslationEvaluator
from lebm_tf.evaluation.latents.bits import BitsEvaluator
from lebm_tf.evaluation.latents.chains import ChainsEvaluator
from lebm_tf.evaluation.latents.codes import CodesEvaluator
from lebm_tf.evaluation.latents.hierarchy import LayersEvaluator
from lebm_tf.evaluation.latents.information import LatentsEvaluator
from lebm_tf.evaluation.latents.likelihood import LikelihoodEvaluator
from lebm_tf.evaluation.latents.out_of_distribution import (
    OutOfDistributionEvaluator)
from lebm_tf.evaluation.latents.sampler import SamplerEvaluator
from lebm_tf.evaluation.molecules.samples import MoleculesEvaluator
from lebm_tf.evaluation.symbols.accuracy import SymbolsEvaluator
from lebm_tf.evaluation.text.perplexity import PerplexityEvaluator
from lebm_tf.evaluation.text.reports import SentencesEvaluator
from lebm_tf.evaluation.text.sequences import SequencesEvaluator
from lebm_tf.evaluation.trajectories.forecasts import TrajectoriesEvaluator

# Each with its default settings. A plugin adds its own.
EVALUATORS: dict[str, Evaluator] = {
    "anomaly": AnomalyEvaluator(),
    "bits": BitsEvaluator(),
    "chains": ChainsEvaluator(),
    "codes": CodesEvaluator(),
    "frechet": FrechetEvaluator(),
    "latents": LatentsEvaluator(),
    "layers": LayersEvaluator(),
    "levels": LevelsEvaluator(),
    "likelihood": LikelihoodEvaluator(),
    "molecules": MoleculesEvaluator(),
    "out_of_distribution": OutOfDistributionEvaluator(),
    "perplexity": PerplexityEvaluator(),
    "pictures": PicturesEvaluator(),
    "reconstruction": ReconstructionEvaluator(),
    "sampler": SamplerEvaluator(),
    "sentences": SentencesEvaluator(),
    "sequences": SequencesEvaluator(),
    "symbols": SymbolsEvaluator(),
    "trajectories": TrajectoriesEvaluator(),
    "translation": TranslationEvaluator(),
}


def check(evaluators: Iterable[str | Evaluator], context: Context, model: Any
          ) -> None:
    """Finds out before training what would stop `evaluate` after it.

    Raises:
        InputError: If a name is unknown, or the model, the data or the
            settings lack what an evaluator needs.
    """
    for evaluator in evaluators:
        named(evaluator).check(context, model)


def evaluate(model: Any, context: Context,
             evaluators: Iterable[str | Evaluator]
             ) -> dict[str, float | int | str]:
    """Runs evaluators one after the other and joins what they yield.

    A value that is not finite, as of a chain that ran away, is a result: it
    is returned as it is, with a warning in the log.

    Args:
        model: An `EnergyModel`.
        context: Data and shared settings.
        evaluators: Evaluators with their settings, or keys of `EVALUATORS`
            for those with the default ones.

    Raises:
        InputError: If a name is unknown, or model or data lack what an
            evaluator needs.
    """
    evaluators = [named(evaluator) for evaluator in evaluators]
    check(evaluators, context, model)
    metrics = {}
    for evaluator in evaluators:
        for key, value in evaluator(model, context):
            logging.info("%s = %s", key, value)
            if not isinstance(value, str) and not np.isfinite(value):
                logging.warning("%s must be finite, got %s.", key, value)
            metrics[key] = value
    return metrics


def named(evaluator: str | Evaluator) -> Evaluator:
    """The evaluator of a name, with default settings; others as they are.

    Raises:
        InputError: If there is none of that name.
    """
    if isinstance(evaluator, Evaluator):
        return evaluator
    if evaluator not in EVALUATORS:
        raise InputError(
            f"evaluator must be one of {', '.join(EVALUATORS)}, got "
            f"{evaluator!r}{nearest(evaluator, EVALUATORS)}.")
    return EVALUATORS[evaluator]


def find_metric(metric: str) -> tuple[str, Better]:
    """The name of the evaluator that yields a metric, and which way it is
    better, LOWER or HIGHER.

    Raises:
        InputError: If none yields it, or it is better neither way.
    """
    found = {name: evaluator.better(metric)
             for name, evaluator in EVALUATORS.items()}
    for name, better in found.items():
        if better in (Better.LOWER, Better.HIGHER):
            return name, better
    if any(found.values()):
        raise InputError("--early_stop must be a metric that is better lower "
                         f"or higher, got {metric!r}.")
    known = [name for evaluator in EVALUATORS.values()
             for name in evaluator.metrics]
    raise InputError(
        "--early_stop must be a metric of an evaluator, as frechet/samples, "
        f"got {metric!r}{nearest(metric, known)}.")
