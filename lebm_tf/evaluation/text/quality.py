"""Word frequencies of samples, and BLEU of reconstructions."""

import collections
import math
from typing import Sequence

import numpy as np

from lebm_tf import token_ids

_LONGEST = 4


def word_divergence(samples: np.ndarray, reference: np.ndarray) -> float:
    """KL divergence between word frequencies (wKL).

    sum_w p_s(w) log(p_s(w) / p_r(w)) over words that occur in both, as in the
    public code of Pang and Wu 2021, arXiv:2108.11556. Words that occur in one
    only are ignored, so it is not exactly a divergence and may be negative;
    ends of sentences count as words.

    Args:
        samples, reference: Rows of tokens (`evaluation.text.tokens`), int32
            [num, length].

    Returns:
        Nats. The value of real test sentences against training ones is a
        reasonable target; 0 is not reachable with finite samples.

    Raises:
        ValueError: If they have no token in common.
    """
    counts = [collections.Counter(rows[rows != token_ids.PAD].tolist())
              for rows in (np.asarray(samples), np.asarray(reference))]
    both = sorted(set(counts[0]) & set(counts[1]))
    if not both:
        raise ValueError("samples and reference must have a token in common, "
                         "got none.")
    ours, theirs = (np.array([count[word] for word in both])
                    / sum(count.values()) for count in counts)
    return float(ours @ np.log(ours / theirs))


def corpus_bleu(reconstructions: np.ndarray, references: np.ndarray) -> float:
    """Corpus BLEU with n-grams up to 4 and one reference each.

    100 min(1, e^(1 - r/c)) (p_1 p_2 p_3 p_4)^(1/4); Papineni et al. 2002.
    Without smoothing, as in multi-bleu.perl: it is 0 if no 4-gram matches. As
    there, ends of sentences do not count as words.

    Args:
        reconstructions, references: Rows of tokens (`evaluation.text.tokens`),
            int32 [num, length]; lengths may differ.

    Returns:
        A value from 0 to 100.

    Raises:
        ValueError: If their numbers differ or are 0.
    """
    if len(reconstructions) != len(references) or not len(references):
        raise ValueError(
            "reconstructions and references must have the same number of rows, "
            f"at least 1, got {len(reconstructions)} and {len(references)}.")
    right, total, lengths = [0] * _LONGEST, [0] * _LONGEST, [0, 0]
    for pair in zip(reconstructions, references):
        ours, theirs = ([int(word) for word in row
                         if word not in (token_ids.PAD, token_ids.END)]
                        for row in pair)
        lengths[0] += len(ours)
        lengths[1] += len(theirs)
        for n in range(1, _LONGEST + 1):
            found, wanted = _ngrams(ours, n), _ngrams(theirs, n)
            right[n - 1] += sum((found & wanted).values())
            total[n - 1] += sum(found.values())
    if not all(right):
        return 0.0
    precision = sum(math.log(a / b) for a, b in zip(right, total)) / _LONGEST
    brevity = min(0.0, 1.0 - lengths[1] / lengths[0])
    return 100.0 * math.exp(brevity + precision)


def _ngrams(words: Sequence[int], n: int) -> collections.Counter:
    return collections.Counter(
        tuple(words[i:i + n]) for i in range(len(words) - n + 1))
