"""Metrics of sets of molecules as SMILES: validity, uniqueness, novelty,
diversity and property distributions.

This module and `chemistry.properties` need RDKit, an optional extra that is
imported at first use.
"""

import dataclasses
from typing import Any, Iterable, Iterator, Mapping, Sequence

import numpy as np

from lebm_tf.chemistry import properties
from lebm_tf.chemistry.smiles import parse, rdkit
from lebm_tf.errors import InputError
from lebm_tf.evaluation.evaluator import Metric

_RADIUS, _NUM_BITS = 2, 1024
_BLOCK = 1000


@dataclasses.dataclass(frozen=True, eq=False)
class Molecules:
    """Real molecules.

    Attributes:
        train: Training SMILES of the generator.
        test: SMILES that samples are compared with, at least one valid.
    """
    train: Sequence[str]
    test: Sequence[str]


def canonical(molecules: Iterable[Any]) -> list[str | None]:
    """Canonical SMILES, the same string for equal molecules; stereochemistry is
    kept.

    Args:
        molecules: As returned by `parse`; None stays None.
    """
    write = rdkit("Chem").MolToSmiles
    return [None if molecule is None else write(molecule)
            for molecule in molecules]


def measure(samples: Mapping[str, Sequence[str]], real: Molecules
            ) -> Iterator[Metric]:
    """Common metrics of sets of molecules.

    Args:
        samples: Generated SMILES by name, at least one each.
        real: Real molecules.

    Yields:
        For each name: molecules/valid/NAME, the share of valid molecules;
        molecules/unique/NAME, distinct ones among the valid;
        molecules/novel/NAME, those not in `train` among the distinct. The
        public code of Kong et al. 2023 (SGDS) divides by all samples instead,
        and counts molecules not in `test` as novel:
        molecules/unique_of_all/NAME and molecules/novel_of_all/NAME follow that
        rule. Then molecules/internal_diversity/NAME and, for each of
        `properties.PROPERTIES`, molecules/PROPERTY/NAME, the mean over valid
        samples, and molecules/PROPERTY_wasserstein/NAME, the distance to the
        distribution of `test`. Without a valid molecule only the first is
        yielded. molecules/qed_missing/NAME counts molecules whose QED cannot be
        computed, if any. The name `real` stands for a subset of `train` as
        large as `test`: the values of a perfect model. molecules/invalid_train
        and molecules/invalid_test count invalid molecules in the data, which
        are ignored.

    Raises:
        InputError: If RDKit is not installed, or no molecule of `test` is
            valid.
        ValueError: If a set is empty.
    """
    parsed = parse(real.test)
    test = [molecule for molecule in parsed if molecule is not None]
    if not test:
        raise InputError("the test data must include a valid molecule, got "
                         f"none in {len(real.test)}.")
    reference = properties.of(test)
    train = canonical(parse(real.train))
    known = {"train": set(train), "test": set(canonical(test))}
    stride = max(1, len(real.train) // len(test))
    some = parse(real.train[::stride][:len(test)])
    yield from _compare("real", some, reference)
    for name, strings in samples.items():
        if not len(strings):
            raise ValueError(f"samples {name!r} must have at least one string, "
                             "got none.")
        molecules = parse(strings)
        yield from _count(name, canonical(molecules), known)
        yield from _compare(name, molecules, reference)
        yield f"molecules/num_samples/{name}", len(strings)
    yield "molecules/num_train", len(real.train)
    yield "molecules/num_test", len(real.test)
    yield "molecules/invalid_train", train.count(None)
    yield "molecules/invalid_test", parsed.count(None)


def internal_diversity(molecules: Sequence[Any]) -> float:
    """1 - mean Tanimoto similarity of all pairs, in [0, 1).

    Computed from Morgan fingerprints of radius 2 with 1,024 bits. Each molecule
    is paired with itself too, as in IntDiv_1 of Polykovskiy et al. 2020,
    arXiv:1811.12823, so N equal ones have 0, and N that share nothing 1 - 1/N.

    Args:
        molecules: As returned by `parse`, at least one; None is skipped.
    """
    generator = rdkit("Chem.rdFingerprintGenerator").GetMorganGenerator(
        radius=_RADIUS, fpSize=_NUM_BITS)
    bits = np.array([generator.GetFingerprintAsNumPy(molecule) for molecule
                     in molecules if molecule is not None], np.float32)
    sizes, total = bits.sum(axis=1), 0.0
    for start in range(0, len(bits), _BLOCK):
        block = slice(start, start + _BLOCK)
        shared = bits[block] @ bits.T
        total += (shared / (sizes[block, None] + sizes - shared)).sum(
            dtype=np.float64)
    return float(1.0 - total / len(bits)**2)


def _count(name, strings, known) -> Iterator[Metric]:
    valid = [text for text in strings if text is not None]
    unique = set(valid)
    yield f"molecules/valid/{name}", len(valid) / len(strings)
    if not valid:
        return
    yield f"molecules/unique/{name}", len(unique) / len(valid)
    yield f"molecules/unique_of_all/{name}", len(unique) / len(strings)
    yield (f"molecules/novel/{name}",
           len(unique - known["train"]) / len(unique))
    yield (f"molecules/novel_of_all/{name}",
           len(unique - known["test"]) / len(strings))


def _compare(name, molecules, reference) -> Iterator[Metric]:
    from scipy import stats  # Slow to import.
    molecules = [molecule for molecule in molecules if molecule is not None]
    if not molecules:
        return
    yield f"molecules/internal_diversity/{name}", internal_diversity(molecules)
    for key, values in properties.of(molecules).items():
        if len(values) < len(molecules):
            yield (f"molecules/{key}_missing/{name}",
                   len(molecules) - len(values))
        if not len(values):
            continue
        yield f"molecules/{key}/{name}", float(values.mean())
        yield f"molecules/{key}_wasserstein/{name}", float(
            stats.wasserstein_distance(values, reference[key]))
