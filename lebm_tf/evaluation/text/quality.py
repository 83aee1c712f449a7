"""Word frequencies of samples, and words kept by reconstructions."""

import collections
import math
from typing import Sequence

import numpy as np

from lebm_tf import token_ids

_LONGEST = 4


def word_divergence(samples: np.ndarray, reference: np.ndarray) -> float:
    """KL divergence between frequencies of words (wKL).

    sum_w p_s(w) log(p_s(w) / p_r(w)) over the words that both have, as in the
    public code of Pang and Wu 2021, arXiv:2108.11556. Words that only one has
    are left out, so it is not quite a divergence and may be negative; ends of
    sentences are words here.

    Args:
        samples, reference: Rows of tokens (`evaluation.tokens`), int32
            [num, length].

    Returns:
        Nats. Real test sentences against training ones make about the value
        to reach; 0 is not, for a finite sample.

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
    """BLEU with n-grams up to 4 of a whole set, each with one reference.

    100 min(1, e^(1 - r/c)) (p_1 p_2 p_3 p_4)^(1/4); Papineni et al. 2002. No
    smoothing, as multi-bleu.perl has none: without a single 4-gram right it
    is 0. Ends of sentences are not words here, as they are none there.

    Args:
        reconstructions, references: Rows of tokens (`evaluation.tokens`),
            int32 [num, length]; lengths may differ.

    Returns:
        From 0 to 100.

    Raises:
        ValueError: If they are not as many, or none.
    """
    if len(reconstructions) != len(references) or not len(references):
        raise ValueError(
            "reconstructions must be as many as references, and at least 1, "
            f"got {len(reconstructions)} and {len(references)}.")
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
