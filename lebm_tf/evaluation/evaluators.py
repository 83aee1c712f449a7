"""Evaluators by name, and functions that run them."""

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

# Each with its default settings. Plugins add theirs.
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
    """Checks before training that `evaluate` can run after it.

    Raises:
        InputError: If a name is unknown, or the model, data or settings do not
            meet the requirements of an evaluator.
    """
    for evaluator in evaluators:
        named(evaluator).check(context, model)


def evaluate(model: Any, context: Context,
             evaluators: Iterable[str | Evaluator]
             ) -> dict[str, float | int | str]:
    """Runs evaluators in order and joins their metrics.

    A value that is not finite, as of a diverging chain, is a result: it is
    returned unchanged, and a warning is logged.

    Args:
        model: An `EnergyModel`.
        context: Data and shared settings.
        evaluators: Evaluators with their settings, or keys of `EVALUATORS` for
            those with the default settings.

    Raises:
        InputError: If a name is unknown, or the model or data do not meet the
            requirements of an evaluator.
    """
    chosen = [named(evaluator) for evaluator in evaluators]
    check(chosen, context, model)
    metrics = {}
    for evaluator in chosen:
        for key, value in evaluator(model, context):
            logging.info("%s = %s", key, value)
            if not isinstance(value, str) and not np.isfinite(value):
                logging.warning("%s must be finite, got %s.", key, value)
            metrics[key] = value
    return metrics


def named(evaluator: str | Evaluator) -> Evaluator:
    """The evaluator of that name, with default settings; an instance is
    returned unchanged.

    Raises:
        InputError: If the name is unknown.
    """
    if isinstance(evaluator, Evaluator):
        return evaluator
    if evaluator not in EVALUATORS:
        raise InputError(
            f"evaluator must be one of {', '.join(EVALUATORS)}, got "
            f"{evaluator!r}{nearest(evaluator, EVALUATORS)}.")
    return EVALUATORS[evaluator]


def find_metric(metric: str) -> tuple[str, Better]:
    """Finds the evaluator that yields a metric, and its direction.

    Returns:
        The name of the evaluator, and LOWER or HIGHER.

    Raises:
        InputError: If no evaluator yields it, or it has no direction.
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
