"""Measurements of a trained model, by name."""

from typing import Any, Iterable

from absl import logging
import numpy as np

from lebm_tf.errors import InputError
from lebm_tf.evaluation import anomaly
from lebm_tf.evaluation.evaluator import (
    Context, EvaluationConfig, Evaluator, Metric, has_energy, num_layers)
from lebm_tf.evaluation.images import features, frechet, gallery, reconstruction
from lebm_tf.evaluation.latents import chains, codes, information, likelihood
from lebm_tf.evaluation.molecules import samples
from lebm_tf.evaluation.plots import training_curves
from lebm_tf.evaluation.symbols import accuracy
from lebm_tf.evaluation.text import perplexity, reports, sequences
from lebm_tf.evaluation.trajectories import forecasts

EVALUATORS = {
    "anomaly": anomaly.run,
    "chains": chains.run,
    "codes": codes.run,
    "frechet": frechet.run,
    "latents": information.run,
    "likelihood": likelihood.run,
    "molecules": samples.run,
    "perplexity": perplexity.run,
    "pictures": gallery.run,
    "reconstruction": reconstruction.run,
    "sentences": reports.run,
    "sequences": sequences.run,
    "symbols": accuracy.run,
    "trajectories": forecasts.run,
}

_CHECKS = {"anomaly": anomaly.check, "frechet": features.check,
           "molecules": samples.check, "perplexity": sequences.check,
           "pictures": gallery.check, "sentences": reports.check,
           "sequences": sequences.check, "symbols": accuracy.check,
           "trajectories": forecasts.check}
_NEED_ENERGY = {"chains"}
_NEED_ONE_LAYER = {"latents", "likelihood"}
_TELL_WHAT_IS_GIVEN = {"trajectories"}


def check(names: Iterable[str], context: Context, model: Any = None) -> None:
    """Finds out before training what would stop `evaluate` after it.

    Raises:
        InputError: If a name is unknown, or the model, the data or the
            settings lack what an evaluator needs: an energy, one layer of
            latents, labels, a file, an anomaly label, a directory.
    """
    for name in names:
        if name not in EVALUATORS:
            raise InputError(
                f"evaluator must be one of {', '.join(EVALUATORS)}, got "
                f"{name!r}.")
        if name not in _TELL_WHAT_IS_GIVEN and getattr(
                model, "context", None) is not None:
            raise InputError(
                f"evaluator {name} needs a model that nothing must be given "
                "to; this one's evaluators are "
                f"{', '.join(sorted(_TELL_WHAT_IS_GIVEN))}.")
        if name in _CHECKS:
            _CHECKS[name](context)
        if name in _NEED_ENERGY and model is not None and not has_energy(
                model):
            raise InputError(f"evaluator {name} needs a prior with an energy, "
                             f"got {type(model.prior).__name__}.")
        if name in _NEED_ONE_LAYER and model is not None and num_layers(
                model) > 1:
            raise InputError(f"evaluator {name} needs one layer of latents, "
                             f"got {num_layers(model)}.")


def evaluate(model: Any, context: Context, names: Iterable[str]
             ) -> dict[str, float | int | str]:
    """Runs evaluators one after the other and joins what they yield.

    A value that is not finite, as of a chain that ran away, is a result: it
    is returned as it is, with a warning in the log.

    Args:
        model: An `EnergyModel`.
        context: Data and settings.
        names: Keys of `EVALUATORS`.

    Raises:
        InputError: If a name is unknown, or model or data lack what an
            evaluator needs.
    """
    names = list(names)
    check(names, context, model)
    metrics = {}
    for name in names:
        for key, value in EVALUATORS[name](model, context):
            logging.info("%s = %s", key, value)
            if not isinstance(value, str) and not np.isfinite(value):
                logging.warning("%s must be finite, got %s.", key, value)
            metrics[key] = value
    return metrics


__all__ = ["EVALUATORS", "Context", "EvaluationConfig", "Evaluator",
           "Metric", "check", "evaluate", "training_curves"]
