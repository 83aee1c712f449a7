"""Symbols of held-out data: accuracy, calibration, information."""

import dataclasses
from typing import Any, Iterator

import numpy as np

from lebm_tf.errors import InputError
from lebm_tf.evaluation.evaluator import (
    UNCONDITIONAL, Better, Context, Evaluator, Metric)
from lebm_tf.evaluation.symbols import reports
from lebm_tf.evaluation.symbols.metrics import (
    calibration_error, chance_homogeneity, homogeneity, symbol_information)
from lebm_tf.mcmc import rng

_NUM_ROWS = 500  # In memory at once.


@dataclasses.dataclass(frozen=True)
class SymbolsEvaluator(Evaluator):
    """Accuracy, calibration and information of the symbols of held-out
    examples."""

    name = "symbols"
    kinds = UNCONDITIONAL
    metrics = {
        "symbols/accuracy": Better.HIGHER, "symbols/nll": Better.LOWER,
        "symbols/calibration_error": Better.LOWER,
        "symbols/validation_accuracy": Better.HIGHER,
        "symbols/labelled_accuracy": Better.HIGHER,
        "symbols/information": Better.HIGHER,
        "symbols/homogeneity": Better.HIGHER,
        **{f"symbols/{name}": Better.NEITHER for name in (
            "homogeneity_by_chance", "num_labels", "num_used",
            "num_examples")}}

    def check(self, context: Context, model: Any) -> None:
        """As `Evaluator.check`; also raises without held-out labels or symbols.
        """
        super().check(context, model)
        if context.data.y_test is None:
            raise InputError("evaluator symbols needs held-out labels, got "
                             f"none in {context.data.name}.")
        if not model.prior.tells_symbols:
            raise InputError("evaluator symbols needs a prior with symbols, "
                             f"got a {type(model.prior).__name__}.")

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Yields metrics of the symbols of held-out examples.

        If the model was trained with labels, its symbols are classes: accuracy
        in [0, 1], -log p(y | x) in nats and the expected calibration error are
        yielded. Otherwise they are clusters. Homogeneity measures how well they
        determine the labels, and is yielded with that of random clusters of the
        same sizes.
        """
        from sklearn import metrics  # Slow to import.
        data, config = context.data, context.config
        probs = symbol_probs(model, data, data.x_test, config)
        clusters, labels = probs.argmax(1), data.y_test
        if data.labelled is not None:
            yield "symbols/accuracy", float((clusters == labels).mean())
            yield "symbols/nll", float(metrics.log_loss(
                labels, probs, labels=np.arange(probs.shape[1])))
            yield "symbols/calibration_error", calibration_error(probs, labels)
            if data.y_validation is not None:
                yield "symbols/validation_accuracy", float((symbol_probs(
                    model, data, data.x_validation, config).argmax(1)
                    == data.y_validation).mean())
            yield "symbols/labelled_accuracy", float((symbol_probs(
                model, data, data.labelled.x, config).argmax(1)
                == data.labelled.y).mean())
            yield "symbols/num_labels", len(data.labelled.y)
        yield "symbols/information", symbol_information(probs)
        yield "symbols/homogeneity", homogeneity(labels, clusters)
        yield "symbols/homogeneity_by_chance", chance_homogeneity(
            labels, clusters, config.seed)
        yield "symbols/num_used", len(np.unique(clusters))
        yield "symbols/num_examples", len(labels)
        if context.directory and model.prior.num_symbols:
            file = reports.write(model, context)
            if file:
                yield "symbols/draws", file


def symbol_probs(model: Any, data: Any, x: np.ndarray, config) -> np.ndarray:
    """p(y | x) of rows of a data set, float32 [rows, num_symbols]."""
    return np.concatenate([
        model.classify(data.to_model(x[i:i + _NUM_ROWS]),
                       rng.named(config.seed, "symbols", i),
                       num_draws=config.num_draws)
        for i in range(0, len(x), _NUM_ROWS)])
