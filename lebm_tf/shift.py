"""Shifts a model of molecules towards higher values of a property.

    python -m lebm_tf.shift --workdir=DIR --output=DIR2 --property=qed

Gradual distribution shifting, Kong et al. 2023, arXiv:2306.14902 (SGDS). In
every round the model is trained on the best molecules known and their property.
Then chains of p(z | y + step) start from their codes, RDKit evaluates the
decoded molecules, and the best of old and new molecules form the next training
set. Running it again continues with the next round. DIR2 is a work directory of
its own with a head for the property, so `sample --attribute` works there.
"""

import dataclasses
import os
import sys

from lebm_tf.configuration import startup

startup.begin("shift", __name__, __doc__)

import numpy as np  # noqa: E402

from lebm_tf import files  # noqa: E402
from lebm_tf.assembly import custom  # noqa: E402
from lebm_tf.assembly.components import AttributeConfig  # noqa: E402
from lebm_tf.chemistry.smiles import parse  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.configuration.run import ValidationConfig  # noqa: E402
from lebm_tf.configuration.shift import ShiftConfig  # noqa: E402
from lebm_tf.datasets import SequenceData  # noqa: E402
from lebm_tf.datasets.sequences import properties  # noqa: E402
from lebm_tf.datasets.sequences.vocabulary import padded  # noqa: E402
from lebm_tf.datasets.stored import refuse_stored  # noqa: E402
from lebm_tf.errors import InputError  # noqa: E402
from lebm_tf.evaluation.molecules.metrics import canonical  # noqa: E402
from lebm_tf.families import build  # noqa: E402
from lebm_tf.kinds import SEQUENCE  # noqa: E402
from lebm_tf.objectives import Annealed, kl_to_prior  # noqa: E402
from lebm_tf.training import loading, plugins, workdir as workdirs  # noqa: E402
from lebm_tf.training.fitting import fit  # noqa: E402

ROUNDS, RESULTS = "rounds", "shift.json"
_BEST = 3
_MAY_CHANGE = ("workdir", "output", "data_dir", "rounds")


class Shift:
    """The loop over rounds; its state is kept in the work directory.

    Args:
        chosen: The settings.

    Raises:
        InputError: If the run is not trained on SMILES, RDKit is missing, or
            the output belongs to another run.
    """

    def __init__(self, chosen: ShiftConfig):
        properties.check(chosen.property)
        if not chosen.output:
            raise InputError("--output must name a folder, got none.")
        base = workdirs.read(chosen.workdir)
        if base.data.kind != SEQUENCE or workdirs.read_vocabulary(
                chosen.workdir).tokenizer != "smiles":
            raise InputError("--workdir must hold a run trained on SMILES, got "
                             f"one on {base.run.data.dataset}.")
        self.chosen, self.base = chosen, base
        self.vocabulary = workdirs.read_vocabulary(chosen.workdir)
        self.folder = os.path.join(chosen.output, ROUNDS)

    def run(self) -> dict:
        """Runs the remaining rounds; returns the contents of shift.json."""
        chosen, first = self.chosen, self._path(0)
        self._check_settings()
        is_new = not os.path.exists(first)
        texts, values = self._start() if is_new else _read(first)
        model, run = self._model(len(texts))
        if is_new:
            _write(first, texts, values)
            self._report(0, texts, values, [])
        steps = max(1, chosen.set_size // chosen.batch_size)
        for number in range(chosen.rounds):
            path = self._path(number + 1)
            if os.path.exists(path):
                texts, values = _read(path)
                continue
            data = self._data(texts, values)
            last = chosen.first_steps + (number + 1) * steps
            # Restores the newest checkpoint of an earlier call.
            fit(model, data, dataclasses.replace(
                run, train_steps=last, workdir=chosen.output), verbose=False,
                same_data=False)
            found = self._propose(model, data, number)
            texts, values = _best([*zip(texts, values), *found],
                                  chosen.set_size)
            _write(path, texts, values)
            self._report(number + 1, texts, values, found)
        return files.read_json(os.path.join(chosen.output, RESULTS))

    def _start(self):
        """The best molecules of the training data, and their property."""
        run = self.base.run
        data = workdirs.load_data(workdirs.moved(dataclasses.replace(
            run, data=dataclasses.replace(run.data, property="")),
            self.chosen.data_dir))
        refuse_stored(data.x_train, f"{data.name}: a shift")
        texts = self.vocabulary.texts(data.x_train)
        command.say(f"Computing {self.chosen.property} of {len(texts):,} "
                    "molecules ...")
        values = properties.compute(texts, self.chosen.property)
        good = np.flatnonzero(np.isfinite(values))
        texts, values = _best([(texts[i], values[i]) for i in good],
                              self.chosen.set_size)
        if len(texts) < self.chosen.set_size:
            raise InputError(
                f"--set_size must be at most {len(texts)}, the number of "
                f"different molecules in the data, got {self.chosen.set_size}.")
        return texts, values

    def _check_settings(self):
        path = os.path.join(self.chosen.output, RESULTS)
        if not os.path.exists(path):
            return
        old, new = files.read_json(path)["settings"], dataclasses.asdict(
            self.chosen)
        changed = [name for name in new if name not in _MAY_CHANGE
                   and old.get(name) != new[name]]
        if changed:
            raise InputError(
                f"{self.chosen.output} was started with other settings: " +
                ", ".join(f"--{name} must be {old.get(name)}, got {new[name]}"
                          for name in changed) + ".")

    def _model(self, num_train):
        """The base run's model with a property head, and the run for `fit`."""
        chosen, base = self.chosen, self.base
        run = dataclasses.replace(
            base.run, workdir=chosen.output, data=dataclasses.replace(
                base.run.data, property=chosen.property,
                validation_fraction=0.0),
            batch_size=chosen.batch_size, seed=chosen.seed, baseline="",
            validation=ValidationConfig(), evaluators=(), log_every=1,
            checkpoint_every=max(1, chosen.set_size // chosen.batch_size))
        old = loading.load(chosen.workdir, chosen.checkpoint)
        spec = dataclasses.replace(base.data, num_train=num_train,
                                   has_attributes=True)
        model = build("sequence", self._config(int(old.step)), spec,
                      batch_size=chosen.batch_size, seed=chosen.seed,
                      precision=run.precision,
                      **custom.restored(base.networks, chosen.workdir))
        for part in set(old.parts) - {"attribute"}:
            for new, known in zip(model.variables_of(part),
                                  old.variables_of(part), strict=True):
                new.assign(known)
        workdirs.write(chosen.output, workdirs.Run(
            run, model.recipe.config, spec, base.evaluation, base.networks),
            self.vocabulary)
        return model, run

    def _config(self, step):
        """The base run's configuration with all schedules fixed at their
        current values."""
        base, chosen = self.base.model, self.chosen
        price = float(Annealed(
            kl_to_prior, base.kl_hold_steps, base.kl_warmup_steps,
            base.kl_cycle_steps).factor(step))
        if not price:
            raise InputError(
                "--workdir must hold a run trained beyond its kl_hold_steps, "
                f"{base.kl_hold_steps}, got one at step {step}.")

        def constant(optimizer, rate):
            return dataclasses.replace(
                optimizer, learning_rate=rate, schedule="constant",
                schedule_steps=0, warmup_steps=0, average_decay=0.0)
        is_share = chosen.property == "qed"
        return dataclasses.replace(
            base, kl_weight=base.kl_weight * price, kl_hold_steps=0,
            kl_warmup_steps=0, kl_cycle_steps=0,
            attribute=AttributeConfig(
                activation="relu" if is_share else "silu",
                output="sigmoid" if is_share else "linear",
                scale=chosen.scale),
            decoder_optimizer=constant(
                base.decoder_optimizer, chosen.learning_rate),
            encoder_optimizer=constant(
                base.encoder_optimizer, chosen.learning_rate),
            energy_optimizer=constant(
                base.energy_optimizer, base.energy_optimizer.learning_rate))

    def _data(self, texts, values):
        rows = padded(self.vocabulary.encode(texts), self.base.data.shape[0])
        return SequenceData(
            self.base.run.data.dataset, rows, rows[:1], self.vocabulary,
            origin={"property": self.chosen.property}, attributes_train=values,
            attributes_test=values[:1])

    def _propose(self, model, data, number):
        """New molecules as (text, value); invalid ones are left out."""
        chosen = self.chosen
        seed = chosen.seed * 1_000_003 + number
        z = model.climb(
            model.infer(data.to_model(data.x_train), seed),
            data.attributes_train + np.float32(chosen.step), seed,
            num_steps=chosen.chain_steps)
        texts = self.vocabulary.texts(model.decode(
            z, seed, token_temperature=chosen.token_temperature))
        # Texts without an end, or with unknown tokens, are invalid as well.
        rows = self.vocabulary.encode(texts).row_lengths().numpy()
        values = properties.compute(texts, chosen.property)
        return [(text, value) for text, value, length in zip(
            texts, values, rows) if np.isfinite(value)
            and length <= data.shape[0]]

    def _report(self, number, texts, values, found):
        path = os.path.join(self.chosen.output, RESULTS)
        rows = files.read_json(path)["rounds"] if os.path.exists(path) else []
        rows = [row for row in rows if row["round"] < number] + [{
            "round": number, "valid": len(found) / len(texts),
            "proposed_mean": float(np.mean([value for _, value in found]))
            if found else None, "mean": float(values.mean()),
            "best": [[text, float(value)] for text, value in zip(
                texts[:_BEST], values[:_BEST])]}]
        files.write_json(path, {
            "property": self.chosen.property, "seed": self.chosen.seed,
            "settings": dataclasses.asdict(self.chosen), "rounds": rows})
        command.say(f"round {number}: mean {values.mean():.4g}, best " + ", "
                    .join(f"{value:.4g}" for value in values[:_BEST])
                    + (f", {len(found) / len(texts):.3f} of the new valid"
                       if found else ""))

    def _path(self, number):
        return os.path.join(self.folder, f"{number:04d}.npz")


def _best(pairs, size):
    """The best different molecules, (texts, float32 values), best first."""
    names = canonical(parse([text for text, _ in pairs]))
    seen, kept = set(), []
    for i in np.argsort([-value for _, value in pairs], kind="stable"):
        if names[i] not in seen:
            seen.add(names[i])
            kept.append(pairs[i])
        if len(kept) == size:
            break
    return [text for text, _ in kept], np.array(
        [value for _, value in kept], np.float32)


def _write(path, texts, values):
    with files.atomic_path(path) as temporary:
        np.savez(temporary, texts=np.array(texts), values=values)


def _read(path):
    with np.load(path) as arrays:
        return arrays["texts"].tolist(), arrays["values"]


def main(values) -> None:
    """Shifts the model and prints the best molecules."""
    chosen = fields.from_flags(ShiftConfig, values)
    results = Shift(chosen).run()
    best = "\n".join(f"  {value:.4f}  {text}"
                     for text, value in results["rounds"][-1]["best"])
    command.say(f"Best {chosen.property}:\n{best}\nAll rounds: "
                f"{os.path.join(chosen.output, RESULTS)}")


if __name__ == "__main__":
    sys.exit(command.run(
        main, __doc__, fields.fields(ShiftConfig),
        load_plugins=plugins.load))
