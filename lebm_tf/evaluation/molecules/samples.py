"""The evaluator of molecules."""

import dataclasses
import os
from typing import Annotated, Any, Iterator

from lebm_tf.chemistry import properties
from lebm_tf.chemistry.smiles import parse, rdkit
from lebm_tf.datasets.stored import first
from lebm_tf.errors import InputError
from lebm_tf.evaluation.evaluator import Better, Context, Evaluator, Metric
from lebm_tf.evaluation.molecules import pictures
from lebm_tf.evaluation.molecules.metrics import Molecules, measure
from lebm_tf.files import atomic_path
from lebm_tf.kinds import SEQUENCE
from lebm_tf.ranges import Ge, Gt, OrZero

_NUM_SHOWN = 20
_NUM_PLOTTED = 2_000


_SETS = ("samples", "base_samples")


@dataclasses.dataclass(frozen=True)
class MoleculesEvaluator(Evaluator):
    """Metrics of sampled molecules, compared with the data.

    Attributes:
        num_samples: Number of samples; published numbers use 10000.
        token_temperature: Temperature of their tokens; 0 for that of the model.
    """
    num_samples: Annotated[int, Ge(2)] = 5000
    token_temperature: Annotated[float, OrZero(Gt(0))] = 0.0

    name = "molecules"
    kinds = (SEQUENCE,)
    metrics = {
        **{f"molecules/{what}/{name}": Better.HIGHER for name in _SETS
           for what in ("valid", "unique", "unique_of_all", "novel",
                        "novel_of_all", "internal_diversity")},
        **{f"molecules/{key}_wasserstein/{name}": Better.LOWER
           for name in _SETS for key in properties.PROPERTIES},
        # Means have no direction: the data set has its own.
        "molecules/*/real": Better.NEITHER,
        **{f"molecules/{key}{end}/{name}": Better.NEITHER for name in _SETS
           for key in properties.PROPERTIES for end in ("", "_missing")},
        "molecules/num_*": Better.NEITHER,
        **{f"molecules/{name}": Better.NEITHER for name in (
            "invalid_train", "invalid_test", "token_temperature", "seed")}}

    def check(self, context: Context, model: Any) -> None:
        """As `Evaluator.check`; also raises unless the data are SMILES with a
        valid held-out molecule, and RDKit is installed."""
        super().check(context, model)
        data = context.data
        if data.vocabulary.tokenizer != "smiles":
            raise InputError("evaluator molecules needs SMILES, got "
                             f"{data.name}.")
        rdkit("Chem")
        if not any(parse([text])[0] is not None
                   for text in data.vocabulary.texts(data.x_test)):
            raise InputError(
                "evaluator molecules needs a valid held-out molecule, got none "
                f"in {len(data.x_test):,} of {data.name}.")

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Yields the metrics of `measure` for samples, and writes figures.

        samples come from the learned prior, base_samples from the same decoder
        at draws of p0. Invalid strings are neither corrected nor dropped.
        Writes molecules.smi (all samples of the learned prior, unchanged),
        molecules.png (the first few) and molecule_properties.png.
        """
        data, config = context.data, context.config
        texts = data.vocabulary.texts
        real = Molecules(texts(first(data.x_train)[:]), texts(data.x_test))
        heat = self.token_temperature or None
        drawn = {"samples": texts(model.sample(
            self.num_samples, config.seed, token_temperature=heat).x)}
        if model.has_energy:
            drawn["base_samples"] = texts(model.sample(
                self.num_samples, config.seed, num_steps=0,
                token_temperature=heat).x)
        yield from measure(drawn, real)
        yield "molecules/token_temperature", (
            heat or model.likelihood.decoding.temperature)
        yield "molecules/seed", config.seed
        if context.directory:
            _write(drawn, real.test, context.directory)


def caption(molecule: Any) -> str:
    """logP and QED of a molecule as text; "" for None."""
    return "" if molecule is None else (
        f"logP {properties.logp(molecule):.1f}, "
        f"QED {properties.qed(molecule):.2f}")


def _write(drawn, test, directory):
    path = os.path.join(directory, "molecules.smi")
    with atomic_path(path) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            file.writelines(text + "\n" for text in drawn["samples"])
    shown = drawn["samples"][:_NUM_SHOWN]
    pictures.write_grid(
        os.path.join(directory, "molecules.png"), shown,
        [caption(molecule) for molecule in parse(shown)])
    sets = {"held-out data": test, "learned prior": drawn["samples"],
            "base p0": drawn.get("base_samples", ())}
    found = {}
    for name, strings in sets.items():
        valid = [molecule for molecule in parse(strings[:_NUM_PLOTTED])
                 if molecule is not None]
        if valid:
            found[name] = properties.of(valid)
    pictures.write_distributions(
        os.path.join(directory, "molecule_properties.png"), found,
        "Properties of molecules")
