"""Sequences as texts: strings in requests and results, with standard
operations.

Tokenization and detokenization are part of the exported graph.
"""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from lebm_tf.datasets.sequences.vocabulary import Vocabulary
from lebm_tf.errors import InputError
from lebm_tf.mcmc import rng
from lebm_tf.models import answers
from lebm_tf.serving import symbols
from lebm_tf.serving.rows import Field
from lebm_tf.serving.signatures import ENERGY, SEED, Servable
from lebm_tf.token_ids import PAD, UNKNOWN

TEXT = "text"


@dataclasses.dataclass(frozen=True)
class Text(Field):
    """An input of texts, read as tokens.

    Attributes:
        servable: A `TextServable`, which has the vocabulary.
    """
    servable: Any = None

    def read(self, name, value):
        """Tokens, int32 [rows, longest], and an error message for each text."""
        vocabulary, longest = self.servable.vocabulary, self.servable.shape[0]
        ragged = vocabulary.encode(value, self.servable.table)
        size = ragged.row_lengths()
        numbers = ragged.to_tensor(PAD, shape=[None, longest])
        problem = tf.where(size > longest, tf.strings.join([
            f"{name} must have at most {longest - 1} tokens, got ",
            tf.strings.as_string(size - 1), "."]), "")
        if not self.servable.may_be_unknown:
            unknown = tf.reduce_any(numbers == UNKNOWN, axis=1)
            problem = tf.where((problem == "") & unknown, tf.strings.join([
                f"{name} must consist of tokens of the training data, got ",
                tf.strings.substr(value, 0, 60), "."]), problem)
        whole = value == tf.strings.unicode_transcode(
            value, "UTF-8", "UTF-8", errors="ignore")
        problem = tf.where(whole, problem, f"{name} must be UTF-8, got invalid "
                                           "bytes.")
        return numbers, tf.where(
            size > 1, problem, f"{name} must have at least one token, got "
                               "none.")


class TextServable(Servable):
    """A model of sequences with its signatures.

    Args:
        model, shape, config: As in `Servable`.
        vocabulary: Vocabulary of the tokens.

    Raises:
        InputError: As in `Servable`.
    """

    needs_mean = False
    may_be_empty = (TEXT,)

    def __init__(self, model, shape, config, vocabulary: Vocabulary):
        if model.likelihood.has_distance:
            raise InputError("vocabulary must be left out for images, got one "
                             f"of {len(vocabulary)} tokens.")
        self.vocabulary, self.table = vocabulary, vocabulary.table()
        self.resources = [self.table]
        # As in training, unknown words are read as <unk>.
        self.may_be_unknown = vocabulary.tokenizer == "words"
        super().__init__(model, shape, config)

    @property
    def example(self) -> str:
        """A valid text, for the case that no sample is valid."""
        return self.vocabulary.join(self.vocabulary.tokens[4:6])

    def _made(self):
        seed, z = {"seed": SEED}, self.latents
        draw = {**seed, **self._exposed(self._model.generation, True)}
        steps = self._exposed(self._model.inference, False)
        points = self.config.num_points
        what = ("words between white space; unknown ones count as <unk>"
                if self.may_be_unknown else
                "SMILES" if self.vocabulary.tokenizer == "smiles" else
                "characters")
        given = Text(tf.string, (), f"A text: {what}.", servable=self)
        text = {TEXT: Field(tf.string, (), "A text, drawn token by token.")}
        both = {"text_from": given, "text_to": given}
        energy = {"energy": ENERGY}
        return draw, steps, {
            **symbols.signatures(self._model, seed, {TEXT: given},
                                 {**text, **z, **energy}, self.sample),
            "sample": ("Draws z of the learned prior, and a text of each.",
                       draw, {**text, **z, **energy}, self.sample),
            "infer": ("Posterior draws z of texts.",
                      {TEXT: given, **seed, **steps}, z, self._infer_text),
            "reconstruct": ("A text of a posterior draw z.",
                            {TEXT: given, **seed, **steps}, {**text, **z},
                            self._reconstruct_text),
            "score": ("How normal a text is.", {TEXT: given, **seed, **steps},
                      self.scores, self._score_text),
            "decode": ("A text of z.", {**z, **seed}, text,
                       self._decode_text),
            "energy": ("E(z).", z, energy, self._energy),
            "interpolate": (
                "Texts along the line between posterior draws of two texts.",
                {**both, **seed, **steps},
                {TEXT: Field(tf.string, (points,), f"{points} points of the "
                                                   "line, including its "
                                                   "ends.")},
                self._interpolate_text)}

    def sample(self, seed, num_steps=None, temperature=None,
               token_temperature=None, condition=None):
        drawn = super().sample(seed, num_steps, temperature,
                               token_temperature, condition)
        return {TEXT: self.vocabulary.decode(drawn.pop("x")), **drawn}

    def _infer_text(self, text, seed, num_steps=None):
        return self._infer(text, seed, num_steps)

    def _reconstruct_text(self, text, seed, num_steps=None):
        z = self._posterior(answers.infer, text, seed, num_steps)
        return {TEXT: self._text(z, seed), **self._named(z)}

    def _score_text(self, text, seed, num_steps=None):
        return self._score(text, seed, num_steps)

    def _decode_text(self, seed, **z):
        return {TEXT: self._text(self._nest(z), seed)}

    def _interpolate_text(self, text_from, text_to, seed, num_steps=None):
        start, end = (self._posterior(answers.infer, text, seed, num_steps)
                      for text in (text_from, text_to))
        return {TEXT: tf.stack([
            self._text(answers.line(start, end, t), seed) for t in np.linspace(
                0, 1, self.config.num_points, dtype=np.float32)], 1)}

    def _text(self, z, seed):
        return self.vocabulary.decode(self._model.likelihood.decode(
            z, rng.stream(rng.make_seed(seed), "x"), *(
                [self.config.token_temperature]
                if self.config.token_temperature else [])))


def of(model, shape, config, vocabulary: Vocabulary | None) -> Servable:
    """The signatures of a model, of texts if there is a vocabulary."""
    return Servable(model, shape, config) if vocabulary is None else (
        TextServable(model, shape, config, vocabulary))
