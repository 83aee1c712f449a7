"""Vocabularies and tokenizers, as graphs that exported models include."""

import dataclasses
from typing import Mapping

import numpy as np
import tensorflow as tf

from lebm_tf.datasets.sequences.lines import Lines
from lebm_tf.errors import InputError
from lebm_tf.token_ids import END, PAD, UNKNOWN

SPECIAL = ("<pad>", "<unk>", "<bos>", "<eos>")


def _words(lines):
    return tf.strings.split(lines)


def _characters(lines):
    return tf.strings.unicode_split(lines, "UTF-8", errors="replace")


def _smiles(lines):
    # Cl and Br are single tokens; everything else is one character.
    return tf.strings.split(tf.strings.regex_replace(
        lines, r"(Cl|Br|\S)", r"\1 "))


# Name -> (lines, string [batch] -> ragged tokens; separator for joining).
TOKENIZERS = {"words": (_words, " "), "characters": (_characters, ""),
              "smiles": (_smiles, "")}


def cut(lines, tokenizer: str) -> tf.RaggedTensor:
    """Splits lines into tokens, string [batch] -> string [batch, None].

    Args:
        lines: Texts without line breaks.
        tokenizer: Key of `TOKENIZERS`.
    """
    return TOKENIZERS[tokenizer][0](tf.convert_to_tensor(lines, tf.string))


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The tokens of a model, in the order of their ids.

    Attributes:
        tokens: Texts of the tokens; the first four are `SPECIAL`.
        tokenizer: How lines are split: words (between white space), characters
            or smiles (atoms and signs).

    Raises:
        ValueError: If tokens are not distinct or do not begin with `SPECIAL`,
            or the tokenizer is unknown.
    """
    tokens: tuple[str, ...]
    tokenizer: str = "words"

    def __post_init__(self):
        if self.tokenizer not in TOKENIZERS:
            raise ValueError(
                f"tokenizer must be one of {', '.join(TOKENIZERS)}, got "
                f"{self.tokenizer!r}.")
        if self.tokens[:4] != SPECIAL:
            raise ValueError(f"tokens must begin with {', '.join(SPECIAL)}, "
                             f"got {', '.join(self.tokens[:4])}.")
        if len(set(self.tokens)) < len(self.tokens):
            raise ValueError("tokens must be distinct.")

    @classmethod
    def of(cls, ragged: tf.RaggedTensor, tokenizer: str, size: int = 0
           ) -> "Vocabulary":
        """Builds the vocabulary of the most frequent tokens of training lines.

        Args:
            ragged: Tokens, string [lines, None].
            tokenizer: Name of their tokenizer.
            size: Maximum number of tokens besides `SPECIAL`; 0 for all.
        """
        tokens, _, counts = tf.unique_with_counts(ragged.flat_values)
        return cls.ranked({token.decode(): count for token, count in zip(
            tokens.numpy(), counts.numpy().tolist())}, tokenizer, size)

    @classmethod
    def ranked(cls, counts: Mapping[str, int], tokenizer: str, size: int = 0
               ) -> "Vocabulary":
        """Builds the vocabulary of the most frequent tokens.

        Args:
            counts: Token -> number of occurrences.
            tokenizer, size: As in `of`.
        """
        ranked = sorted(set(counts) - set(SPECIAL),
                        key=lambda token: (-counts[token], token))
        return cls((*SPECIAL, *ranked[:size or None]), tokenizer)

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, lines, table: tf.lookup.StaticHashTable | None = None
               ) -> tf.RaggedTensor:
        """Converts lines to token ids, string [batch] -> int32 [batch, None],
        including the end; unknown tokens become `UNKNOWN`.

        Args:
            lines: Texts.
            table: Result of `table`, if the graph must own it.
        """
        numbers = tf.ragged.map_flat_values(
            (table or self.table()).lookup, cut(lines, self.tokenizer))
        end = tf.fill([numbers.nrows(), 1], END)
        return tf.concat([numbers, end], 1)

    def numbers(self, tokens: tf.Tensor) -> tf.Tensor:
        """Ids of tokens, string -> int32 of the same shape."""
        return self.table().lookup(tokens)

    def table(self) -> tf.lookup.StaticHashTable:
        """The lookup table token -> id."""
        return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(
            list(self.tokens), tf.range(len(self), dtype=tf.int32)), UNKNOWN)

    def join(self, tokens) -> str:
        """Joins tokens to a text."""
        return TOKENIZERS[self.tokenizer][1].join(tokens)

    def decode(self, numbers) -> tf.Tensor:
        """Converts token ids up to the end to lines, int32 [batch, length] ->
        string [batch]."""
        numbers = tf.cast(numbers, tf.int32)
        over = tf.cumsum(tf.cast(numbers == END, tf.int32), axis=1) > 0
        texts = tf.gather(tf.constant(list(self.tokens)), numbers)
        ragged = tf.ragged.boolean_mask(texts, ~over & (numbers != PAD))
        return tf.strings.reduce_join(
            ragged, axis=1, separator=TOKENIZERS[self.tokenizer][1])

    def texts(self, numbers) -> list[str]:
        """`decode` as Python strings."""
        return [line.decode() for line in self.decode(numbers).numpy()]

    def to_dict(self) -> dict:
        """Converts the vocabulary to JSON types."""
        return {"tokenizer": self.tokenizer, "tokens": list(self.tokens)}

    @classmethod
    def from_dict(cls, values: dict) -> "Vocabulary":
        """Inverse of `to_dict`."""
        return cls(tuple(values["tokens"]), values["tokenizer"])


def check_words(lines: Lines, name: str) -> None:
    """Raises InputError if a line contains a special token other than `<unk>`,
    which is an unknown word in public texts."""
    reserved = set(SPECIAL) - {SPECIAL[UNKNOWN]}
    for text, number in zip(lines.texts, lines.numbers):
        found = "<" in text and reserved & set(text.split())
        if found:
            word = sorted(found)[0]
            raise InputError(
                f"{name}: line {number} must contain words only, got the "
                f"special token {word!r}; remove or rewrite it.")


def padded(ragged: tf.RaggedTensor, length: int) -> np.ndarray:
    """int32 [rows, length], padded with 0."""
    return ragged.to_tensor(PAD, shape=[None, length]).numpy().astype(np.int32)
