"""Forward and reverse perplexity of samples.

Forward: a language model of real sentences evaluates samples. It is low for
fluent samples, but also for one fluent sentence repeated, so it should be close
to that of real sentences, not below it. Reverse: a language model of samples
evaluates real held-out sentences. It is low only if samples are fluent and as
diverse as the language. Zhao et al. 2018, arXiv:1706.04223; with an LSTM as
language model Pang et al. 2020, arXiv:2006.08205.

Their public code keeps training one reverse model across evaluations, and sums
the errors of all epochs; here every model is new, and its epoch is chosen by
real validation sentences. So values are comparable with published ones only as
far as the language models agree; the perplexity of real sentences is reported
for reference.
"""

import dataclasses
import json
import os
from typing import Any, Iterator, Mapping, Sequence
import zlib

import numpy as np

from lebm_tf import token_ids
from lebm_tf.datasets.stored import first
from lebm_tf.evaluation import weights
from lebm_tf.evaluation.evaluator import Better, Context, Evaluator, Metric
from lebm_tf.evaluation.text import language_model, tokens
from lebm_tf.evaluation.text.language_model import (
    LanguageModel, LanguageModelConfig, Score)
from lebm_tf.evaluation.text.quality import word_divergence
from lebm_tf.kinds import SEQUENCE
from lebm_tf.mcmc import rng
from lebm_tf.ranges import NonNegativeInt, PositiveInt

_HELD_OUT = 10  # One row in 10 is held out if there is no validation part.


@dataclasses.dataclass(frozen=True)
class PerplexityEvaluator(Evaluator):
    """Forward and reverse perplexity of samples.

    Attributes:
        num_samples: Number of samples; 0 for as many as training sentences, as
            published.
        num_seeds: Number of language models of each kind.
        language_model: Settings of the language models.
        language_model_dir: Folder that keeps those of real sentences for other
            runs on the same data; default: train them anew.
    """
    num_samples: NonNegativeInt = 0
    num_seeds: PositiveInt = 1
    language_model: LanguageModelConfig = LanguageModelConfig()
    language_model_dir: str = ""

    name = "perplexity"
    kinds = (SEQUENCE,)
    metrics = {
        **{f"perplexity/{which}_{name}{unit}": Better.LOWER
           for which in ("forward", "reverse")
           for name in ("samples", "base_samples") for unit in ("", "_nll")},
        **{f"perplexity/{which}_{name}": Better.LOWER
           for which in ("word_divergence", "cut")
           for name in ("samples", "base_samples")},
        "perplexity/word_divergence_real": Better.NEITHER,
        "perplexity/real": Better.NEITHER,
        "perplexity/real_nll": Better.NEITHER,
        "perplexity/*_standard_deviation": Better.NEITHER,
        "perplexity/num_*": Better.NEITHER,
        "perplexity/embedding_dim": Better.NEITHER,
        "perplexity/hidden_dim": Better.NEITHER}

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Perplexities of samples of the learned prior and of p0.

        Yields:
            The metrics of `measure` for samples and, if there is an energy,
            base_samples of the same generator; and
            perplexity/word_divergence_X, by `quality.word_divergence` from
            training sentences, for both and for the real test sentences.
        """
        data, config = context.data, context.config
        train = first(data.x_train)[:]
        validation = data.x_validation
        if validation is None:
            held_out = max(1, len(train) // _HELD_OUT)
            train, validation = train[:-held_out], train[-held_out:]
        real = Sentences(train, validation, data.x_test, data.num_tokens)
        num = self.num_samples or len(train)
        samples = {"samples": model.sample(num, config.seed).x}
        if model.has_energy:
            samples["base_samples"] = model.sample(
                num, config.seed, num_steps=0).x
        for name, rows in {"real": data.x_test, **samples}.items():
            yield f"perplexity/word_divergence_{name}", word_divergence(
                rows, train)
        yield from measure(samples, real, self.language_model,
                           range(self.num_seeds), self.language_model_dir)


@dataclasses.dataclass(frozen=True, eq=False)
class Sentences:
    """Real sentences, as rows of tokens (`evaluation.text.tokens`).

    Attributes:
        train: Training sentences of the generator, int32 [num, length].
        validation: Sentences for early stopping of the language models.
        test: Sentences for the reverse perplexity.
        vocabulary_size: Number of tokens.

    Raises:
        ValueError: If rows are not valid rows of tokens.
    """
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    vocabulary_size: int

    def __post_init__(self):
        for name, rows in (("train", self.train), ("test", self.test),
                           ("validation", self.validation)):
            tokens.check(rows, self.vocabulary_size, name)


def measure(samples: Mapping[str, np.ndarray], real: Sentences,
            config: LanguageModelConfig = LanguageModelConfig(),
            seeds: Sequence[int] = (0,), directory: str = ""
            ) -> Iterator[Metric]:
    """Perplexities of sets of samples, and of real sentences for reference.

    Args:
        samples: Rows of tokens by name; use as many as `real.train` has to
            compare reverse perplexities with published ones.
        real: Real sentences.
        config: Settings of all language models.
        seeds: Seeds of the language models, at least one; one of each kind is
            trained per seed.
        directory: Folder that keeps the language models of real sentences
            between evaluations; "" for none.

    Yields:
        perplexity/real: of the real test sentences, under the real language
        model; then for each name perplexity/forward_NAME and
        perplexity/reverse_NAME, means over the seeds, each with
        ..._standard_deviation if there are two or more, and ..._nll, nats per
        sentence. perplexity/cut_NAME: share of samples without an end of
        sentence. Last, the settings of the measurement.

    Raises:
        ValueError: If rows are not valid rows of tokens, or there is no seed.
    """
    if not seeds:
        raise ValueError("seeds must have at least one seed, got none.")
    for name, rows in samples.items():
        tokens.check(rows, real.vocabulary_size, f"samples {name!r}")
    readers = [load(real, config, seed, directory and os.path.join(
        directory, f"language_model_{seed}.npz")) for seed in seeds]
    yield from _summary("perplexity/real", [
        language_model.perplexity(reader, real.test) for reader in readers])
    for name, rows in samples.items():
        yield from _summary(f"perplexity/forward_{name}", [
            language_model.perplexity(reader, rows) for reader in readers])
        yield from _summary(f"perplexity/reverse_{name}", [
            _reverse(rows, real, config, seed) for seed in seeds])
        yield f"perplexity/cut_{name}", float(
            np.mean((rows != token_ids.END).all(axis=1)))
        yield f"perplexity/num_{name}", len(rows)
    yield "perplexity/num_seeds", len(seeds)
    yield "perplexity/embedding_dim", config.embedding_dim
    yield "perplexity/hidden_dim", config.hidden_dim


def load(real: Sentences, config: LanguageModelConfig, seed: int,
         path: str = "") -> LanguageModel:
    """Trains the language model of real sentences, or reads it from a file.

    Args:
        real: Sentences for training and early stopping.
        config: Sizes and training.
        seed: Seed of the training, any int.
        path: File that keeps the weights (.npz); "" for none. It is overwritten
            if it belongs to other sentences, sizes or seeds.
    """
    key = _key(real, config, seed)
    model = LanguageModel(real.vocabulary_size, config, rng.make_seed(0))
    kept = path and weights.read(
        path, key, [weight.shape for weight in model.weights])
    if kept:
        for weight, value in zip(model.weights, kept):
            weight.assign(value)
        return model
    model = language_model.train(
        real.train, real.vocabulary_size, real.validation, config, seed)
    if path:
        weights.write(path, key, [weight.numpy() for weight in model.weights])
    return model


def _reverse(rows, real, config, seed) -> Score:
    model = language_model.train(
        rows, real.vocabulary_size, real.validation, config, seed)
    return language_model.perplexity(model, real.test)


def _summary(name, scores: Sequence[Score]) -> Iterator[Metric]:
    values = [score.perplexity for score in scores]
    yield name, float(np.mean(values))
    if len(values) > 1:
        yield f"{name}_standard_deviation", float(np.std(values, ddof=1))
    yield f"{name}_nll", float(np.mean(
        [score.nll_per_sentence for score in scores]))


def _key(real, config, seed) -> str:
    """Text that identifies what the weights depend on."""
    checksums = [zlib.crc32(np.ascontiguousarray(rows, np.int32).data)
                 for rows in (real.train, real.validation)]
    return json.dumps([1, real.vocabulary_size, dataclasses.asdict(config),
                       int(seed), *checksums])
