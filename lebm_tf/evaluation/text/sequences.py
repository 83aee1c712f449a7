"""Reconstruction error of sequences, and statistics of samples."""

import dataclasses
import math
import os
from typing import Annotated, Any, Iterator

import numpy as np

from lebm_tf.evaluation.evaluator import Better, Context, Evaluator, Metric
from lebm_tf.evaluation.images.reconstruction import standard_error
from lebm_tf.files import atomic_path
from lebm_tf.kinds import SEQUENCE
from lebm_tf.ranges import Ge
from lebm_tf.token_ids import END, PAD

_NUM_SHOWN = 20


@dataclasses.dataclass(frozen=True)
class SequencesEvaluator(Evaluator):
    """Reconstruction error of held-out sequences, and statistics of samples.

    Attributes:
        num_samples: Number of samples.
    """
    num_samples: Annotated[int, Ge(2)] = 5000

    name = "sequences"
    kinds = (SEQUENCE,)
    metrics = {
        "sequences/reconstruction_nll": Better.LOWER,
        "sequences/reconstruction_perplexity": Better.LOWER,
        **{f"sequences/{name}_{what}": Better.HIGHER
           for name in ("samples", "base_samples")
           for what in ("ended", "distinct")},
        **{f"sequences/{name}": Better.NEITHER for name in (
            "reconstruction_nll_standard_error", "energy",
            "samples_mean_tokens", "base_samples_mean_tokens")},
        "sequences/num_*": Better.NEITHER}

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Reconstruction error, and statistics of samples.

        sequences/reconstruction_nll: -log p(x | z) at posterior draws z, the
        mean over held-out sequences in nats; papers on text call it negative
        log likelihood. That of x itself, which includes the cost of z, is
        `likelihood/nll`. Perplexities are per token, the end included and the
        beginning not.
        """
        data, config = context.data, context.config
        x = np.asarray(data.to_model(data.x_test))
        score = model.score(x, config.seed, num_draws=config.num_draws)
        nll = -score.log_likelihood.astype(np.float64)
        num_tokens = int((x != PAD).sum())
        yield "sequences/reconstruction_nll", float(nll.mean())
        yield "sequences/reconstruction_nll_standard_error", standard_error(nll)
        yield "sequences/reconstruction_perplexity", perplexity(nll, num_tokens)
        yield "sequences/num_sequences", len(x)
        yield "sequences/num_tokens", num_tokens
        yield "sequences/num_draws", config.num_draws
        if model.has_energy:
            yield "sequences/energy", float(score.energy.mean())
        drawn = {"samples": model.sample(self.num_samples, config.seed).x}
        if model.has_energy:
            drawn["base_samples"] = model.sample(
                self.num_samples, config.seed, num_steps=0).x
        for name, tokens in drawn.items():
            texts = data.vocabulary.texts(tokens)
            yield f"sequences/{name}_mean_tokens", float(
                (tokens != PAD).sum(1).mean())
            yield f"sequences/{name}_ended", float(
                (tokens == END).any(1).mean())
            yield f"sequences/{name}_distinct", len(set(texts)) / len(texts)
        yield "sequences/num_samples", self.num_samples
        if context.directory:
            write_text(model, context)


def perplexity(nll: np.ndarray, num_tokens: int) -> float:
    """exp of nats per token.

    Args:
        nll: Nats of each sequence, float [num].
        num_tokens: Number of tokens of all sequences.
    """
    return math.exp(float(np.sum(nll)) / num_tokens)


def write_text(model: Any, context: Context) -> str:
    """Writes sequences.txt, held-out sequences with one reconstruction each,
    and samples; returns its name."""
    data, seed = context.data, context.config.seed
    texts = data.vocabulary.texts
    x = np.asarray(data.to_model(data.x_test[:_NUM_SHOWN]))
    lines = ["Held-out sequences, and what one posterior draw of each says:"]
    for before, after in zip(texts(x), texts(model.reconstruct(x, seed))):
        lines += ["", "  " + before, "  " + after]
    samples = model.sample(_NUM_SHOWN, seed)
    lines += ["", "Samples, with their energy in nats:", ""]
    lines += [f"  {energy:8.2f}  {text}" for energy, text in zip(
        samples.energy, texts(samples.x))]
    path = os.path.join(context.directory, "sequences.txt")
    with atomic_path(path) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    return "sequences.txt"
