"""Sentences along lines and chains in latent space, as plain text."""

import dataclasses
import math
import os
from typing import Annotated, Any, Iterator, NamedTuple, Sequence
import unicodedata

import numpy as np

from lebm_tf.evaluation.evaluator import Better, Context, Evaluator, Metric
from lebm_tf.files import atomic_path
from lebm_tf.kinds import SEQUENCE
from lebm_tf.ranges import Ge, MinLen, NonNegativeInt

_NUM_SHOWN = 8
_NUM_POINTS = 7


class Transition(NamedTuple):
    """Sentences and energies along prior chains.

    Attributes:
        steps: Steps made at each record, int [records], as 0, 40, 100.
        energy: Energies of many chains at each record, in nats, float [records,
            chains].
        sentences: Sentences of the first chains, [records][shown chains], at
            least one chain and at most as many as have energies.
        trained_steps: Steps of the chains in training.
    """
    steps: Sequence[int]
    energy: np.ndarray
    sentences: Sequence[Sequence[str]]
    trained_steps: int


@dataclasses.dataclass(frozen=True)
class SentencesEvaluator(Evaluator):
    """Sentences along prior chains and along lines in latent space, as text.

    Attributes:
        num_chains: Number of prior chains whose energies are reported.
        transition_steps: Steps at which sentences are shown, increasing.
    """
    num_chains: Annotated[int, Ge(2)] = 100
    transition_steps: Annotated[tuple[NonNegativeInt, ...], MinLen(1)] = (
        0, 10, 20, 40, 70, 100)

    name = "sentences"
    kinds = (SEQUENCE,)
    min_examples = 2  # The two ends of a line.
    needs_directory = True
    metrics = {"sentences/energy_*": Better.NEITHER}

    def validate(self):
        steps = self.transition_steps
        if not steps[-1] or sorted(set(steps)) != list(steps):
            raise ValueError("transition_steps must increase, and end above 0, "
                             f"got {steps}.")

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Writes interpolation.txt and, with an energy, transition.txt.

        Yields:
            The names of the files, and sentences/energy_K, the mean energy of
            prior chains after K steps, in nats.
        """
        config, texts = context.config, context.data.vocabulary.texts
        if model.has_energy:
            every = math.gcd(*self.transition_steps)
            found = model.transition(
                self.num_chains, self.transition_steps[-1], every,
                config.seed)
            records = [step // every for step in self.transition_steps]
            energy = found.energy[records]
            for step, values in zip(self.transition_steps, energy):
                yield f"sentences/energy_{step}", float(values.mean())
            write_transition(
                os.path.join(context.directory, "transition.txt"), Transition(
                    self.transition_steps, energy,
                    [texts(found.x[record][:_NUM_SHOWN]) for record in records],
                    model.generation.num_steps),
                f"Prior chains of a model of {context.data.name}")
            yield "sentences/transition", "transition.txt"
        x = np.asarray(context.data.to_model(
            context.data.x_test[:2 * _NUM_SHOWN]))
        first, last = x[:len(x) // 2], x[len(x) // 2:][:len(x) // 2]
        lines = model.interpolate(first, last, _NUM_POINTS, config.seed)
        write_interpolation(
            os.path.join(context.directory, "interpolation.txt"),
            [texts(line) for line in lines],
            list(zip(texts(first), texts(last))),
            "Lines between the latents of held-out sequences of "
            f"{context.data.name}")
        yield "sentences/interpolation", "interpolation.txt"


def write_transition(path: str, shown: Transition, title: str) -> None:
    """Writes the sentences of each chain as it moves from p0 to the prior.

    As in the tables of Pang et al. 2020, arXiv:2006.08205: steps, energy and
    sentence; above them the energy of all chains at the same steps.

    Args:
        path: File ending in .txt.
        shown: Sentences and energies.
        title: One line.

    Raises:
        ValueError: If numbers of records or chains differ.
    """
    energy = np.asarray(shown.energy, np.float64)
    counts = {len(row) for row in shown.sentences}
    if (energy.ndim != 2 or not len(shown.steps) or len(counts) != 1
            or not len(shown.steps) == len(energy) == len(shown.sentences)
            or not 1 <= max(counts) <= energy.shape[1]):
        raise ValueError(
            "steps, energy and sentences must have a row for every record, "
            "with at least 1 sentence and at most as many as energies, got "
            f"{len(shown.steps)} steps, energy {list(energy.shape)} and "
            f"sentences {[len(row) for row in shown.sentences]}.")
    steps = [f"{step}*" if step == shown.trained_steps else str(step)
             for step in shown.steps]
    lines = [title, "", f"Energy of {energy.shape[1]} chains, in nats "
             "(* steps as trained):"]
    lines += _table(["steps", "mean", "standard deviation", "lowest",
                     "highest"],
                    [[step, *(f"{value:.3f}" for value in (
                        row.mean(), row.std(), row.min(), row.max()))]
                     for step, row in zip(steps, energy)])
    for chain in range(max(counts)):
        lines += ["", f"Chain {chain + 1}:", *_table(
            ["steps", "energy", "sentence"],
            [[step, f"{row[chain]:.3f}", sentences[chain]] for
             step, row, sentences in zip(steps, energy, shown.sentences)])]
    _write(path, lines)


def write_interpolation(path: str, lines_of: Sequence[Sequence[str]],
                        ends: Sequence[tuple[str, str]], title: str) -> None:
    """Writes the sentences on lines between latents of pairs of sentences.

    Args:
        path: File ending in .txt.
        lines_of: Sentences of each pair from the first latent to the last,
            [pairs][points], at least 2 points.
        ends: The pairs of sentences that the latents belong to.
        title: One line.

    Raises:
        ValueError: If numbers of lines and pairs differ, or a line has fewer
            than 2 points.
    """
    if len(lines_of) != len(ends) or not ends or any(
            len(sentences) < 2 for sentences in lines_of):
        raise ValueError(
            "lines_of must have at least 2 sentences for each pair in ends, "
            f"got {[len(sentences) for sentences in lines_of]} for "
            f"{len(ends)}.")
    lines = [title]
    for i, ((first, last), sentences) in enumerate(zip(ends, lines_of)):
        rows = [["first", first]]
        rows += [[f"{k / (len(sentences) - 1):.2f}", sentence]
                 for k, sentence in enumerate(sentences)]
        lines += ["", f"Pair {i + 1}:", *_table(
            ["position", "sentence"], [*rows, ["last", last]])]
    _write(path, lines)


def _table(head, rows) -> list[str]:
    """Right-aligned columns; a last column of sentences is left-aligned."""
    rows = [head, *rows]
    rows = [[*row[:-1], _one_line(row[-1])] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    is_text = head[-1] == "sentence"
    if is_text:
        widths[-1] = 0
    return ["  ".join(
        cell.ljust(width) if is_text and k == len(widths) - 1
        else cell.rjust(width)
        for k, (cell, width) in enumerate(zip(row, widths))).rstrip()
        for row in rows]


def _one_line(text: str) -> str:
    """Escapes control characters, which would break the columns; returns
    (empty) for an empty sentence."""
    return "".join(
        character if unicodedata.category(character)[0] not in "CZ"
        or character == " " else repr(character)[1:-1]
        for character in text) or "(empty)"


def _write(path, lines):
    with atomic_path(path) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
