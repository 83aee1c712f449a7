"""Draws samples from the model of a run.

    python -m lebm_tf.sample --workdir=DIR --num_samples=64 --seed=7 \\
        --output=samples.png
    python -m lebm_tf.sample --model=zoo:digits --output=samples.png

The extension of --output selects the format: .png for a grid of images or
molecules; .txt or .smi for text, one sequence per line; .npz for arrays x
(uint8 images, int32 tokens or float32 vectors), z and energy, and label with
--label.

For trajectories, the command predicts paths of num_samples held-out agents:
.png draws one picture per scene; .npz holds past, future, predictions, plans,
energy, scene and start.

For a run on two domains, it translates (--direction=ab or ba) the images of
the folder --input, or num_samples held-out ones; --num_steps=0 skips the
chains that revise translations. --output is a folder, which receives one PNG
file per image; a .png with rows of image, translation and revision; or an .npz
with input, translation, x, energy and translation_energy.
"""

import math
import os
import sys
from typing import Any

from lebm_tf.configuration import startup

startup.begin("sample", __name__, __doc__)

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from lebm_tf import kinds  # noqa: E402
from lebm_tf.chemistry.smiles import parse, rdkit  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.configuration.sample import SampleConfig  # noqa: E402
from lebm_tf.datasets import Vocabulary, to_model, to_uint8  # noqa: E402
from lebm_tf.datasets.images.folder import read_pictures  # noqa: E402
from lebm_tf.errors import InputError  # noqa: E402
from lebm_tf.evaluation import pictures  # noqa: E402
from lebm_tf.evaluation.images import translations  # noqa: E402
from lebm_tf.evaluation.molecules import (  # noqa: E402
    pictures as molecule_pictures, samples as molecule_samples)
from lebm_tf.evaluation.trajectories import forecasts  # noqa: E402
from lebm_tf.files import atomic_path  # noqa: E402
from lebm_tf.training import (  # noqa: E402
    loading, plugins, same_data, workdir as workdirs)


def read_attribute(text: str, run) -> float | None:
    """Parses "NAME=y" and returns y; None for "".

    Args:
        text: The flag.
        run: `RunConfig` of the model.

    Raises:
        InputError: If the text has another form, or the run has no such
            property.
    """
    if not text:
        return None
    name, _, value = text.partition("=")
    learned = run.data.property
    if not learned or name.lower() != learned:
        raise InputError(
            f"--attribute must be {learned or 'left out'}"
            f"{'=NUMBER' if learned else ''} for a run with --property="
            f"{learned or 'nothing'}, got {text!r}.")
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise InputError(f"--attribute must be {learned}=NUMBER, got "
                         f"{text!r}.")
    return found


def write_png(path: str, samples, labels=None) -> None:
    """Writes a grid of images, with one row per label if there are labels."""
    rows = 1 if labels is None else len(np.unique(labels))
    columns = pictures.square_columns(len(samples.x)) if rows == 1 else (
        len(samples.x) // rows)
    pictures.save_png(
        path, pictures.enlarge(pictures.grid(samples.x, columns)))


def write_text(path: str, texts: list[str]) -> None:
    """Writes one text per line."""
    with atomic_path(path) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            file.writelines(text + "\n" for text in texts)


def write_npz(path: str, samples, kind: str, labels=None) -> None:
    """Writes arrays x (uint8, int32 tokens or float32 vectors), energy, label
    if there are labels, and z, or z1, z2, ... for several layers."""
    x = to_uint8(samples.x).numpy() if kind == kinds.IMAGE else samples.x
    leaves = tf.nest.flatten(samples.z)
    names = ["z"] if len(leaves) == 1 else [
        f"z{i + 1}" for i in range(len(leaves))]
    with atomic_path(path) as temporary:
        np.savez(temporary, x=x, energy=samples.energy,
                 **({} if labels is None else {"label": labels}),
                 **dict(zip(names, leaves)))


def write_molecules(path: str, texts: list[str]) -> None:
    """Writes a grid of molecules, each with its properties."""
    molecule_pictures.write_grid(path, texts, [
        molecule_samples.caption(molecule) for molecule in parse(texts)])


def symbols(model, chosen: SampleConfig) -> np.ndarray | None:
    """Symbol of every sample, int32 [num_samples]; None without --label.

    Raises:
        InputError: If the model has no such symbol.
    """
    if not chosen.label:
        return None
    if not model.prior.num_symbols:
        raise InputError("--label needs a prior with symbols, such as that of "
                         f"the family symbol_vector, got {chosen.label[0]}.")
    known = model.prior.num_symbols
    wrong = [label for label in chosen.label if not 0 <= label < known]
    if wrong or len(set(chosen.label)) < len(chosen.label):
        raise InputError("--label must list different symbols from 0 to "
                         f"{known - 1}, got "
                         f"{', '.join(map(str, chosen.label))}.")
    return np.repeat(np.array(chosen.label, np.int32),
                     chosen.num_samples // len(chosen.label))


def write_paths(chosen: SampleConfig, resolved: workdirs.Run, model,
                num_steps: int | None) -> int:
    """Writes predicted paths of held-out agents; returns the number of agents.
    """
    run = resolved.run
    if chosen.data_dir:
        run = workdirs.moved(run, chosen.data_dir)
    data: Any = workdirs.load_data(run, resolved.data)  # Trajectories.
    same_data.check(chosen.workdir, data)
    tracks = data.test
    rows = np.unique(np.linspace(0, len(tracks.past) - 1, min(
        chosen.num_samples, len(tracks.past))).astype(int))
    # Contexts need all agents of a scene.
    context = forecasts.contexts(model, data, tracks)
    chosen_tracks = tracks.take(rows)
    paths = forecasts.predict(
        model, data, chosen_tracks, chosen.num_paths, chosen.seed,
        tf.nest.map_structure(lambda leaf: leaf[rows], context),
        num_steps=num_steps, temperature=chosen.temperature)
    if chosen.output.lower().endswith(".png"):
        forecasts.save_paths(
            chosen.output, data, chosen_tracks, paths)
        return len(rows)
    with atomic_path(chosen.output) as temporary:
        np.savez(temporary, **chosen_tracks._asdict(), **paths._asdict())
    return len(rows)


def write_translations(chosen: SampleConfig, resolved: workdirs.Run, model,
                       num_steps: int | None) -> int:
    """Writes translated images; returns their number."""
    names = None
    if chosen.input:
        names, x = read_pictures(chosen.input, resolved.data.shape)
    else:
        data: Any = workdirs.load_data(  # Two domains.
            workdirs.moved(resolved.run, chosen.data_dir), resolved.data)
        same_data.check(chosen.workdir, data)
        x = data.domains[chosen.direction[0]].x_test[:chosen.num_samples]
    x = to_model(x).numpy()
    translations.write(chosen.output, x, model.translate(
        x, chosen.direction, chosen.seed, num_steps=num_steps), names)
    return len(x)


ENDINGS = {kinds.IMAGE: (".png", ".npz"), kinds.PAIR: (".png", ".npz", ""),
           kinds.SEQUENCE: (".txt", ".smi", ".npz"),
           kinds.TRAJECTORY: (".png", ".npz"), kinds.VECTOR: (".npz",),
           kinds.COUNTS: (".npz",)}
MOLECULES = (".smi", ".txt", ".png", ".npz")


def check_output(chosen: SampleConfig, kind: str,
                 vocabulary: Vocabulary | None) -> None:
    """Checks before the model is loaded that the output can be written.

    Args:
        chosen: The flags.
        kind: Kind of the data, of `kinds.KINDS`.
        vocabulary: Vocabulary of sequences, else None.

    Raises:
        InputError: If this kind of data has no such file format or no token
            temperature, or RDKit is needed and missing.
    """
    what, endings = kinds.KINDS[kind], ENDINGS[kind]
    if vocabulary is not None and vocabulary.tokenizer == "smiles":
        what, endings = "molecules", MOLECULES
    if chosen.token_temperature and vocabulary is None:
        raise InputError("--token_temperature needs a model of sequences, got "
                         f"{chosen.token_temperature} for {what}.")
    ending = os.path.splitext(chosen.output)[1].lower()
    if ending not in endings:
        raise InputError(
            f"--output must end with {' or '.join(filter(None, endings))} for "
            f"{what}, got {chosen.output!r}.")
    if kind != kinds.PAIR and (chosen.input or chosen.direction != "ab"):
        raise InputError("--input and --direction need a run on two domains of "
                         f"images, got one on {what}.")
    if not chosen.output:
        raise InputError("--output must name a file or folder, got none.")
    if (what, ending) == ("molecules", ".png"):
        rdkit("Chem")


def main(values) -> None:
    """Draws samples and writes them."""
    chosen = loading.located(fields.from_flags(SampleConfig, values))
    ending = os.path.splitext(chosen.output)[1].lower()
    resolved = workdirs.read(chosen.workdir)
    loading.check_generates(chosen.workdir, resolved)
    kind = resolved.data.kind
    vocabulary = workdirs.read_vocabulary(
        chosen.workdir) if kind == kinds.SEQUENCE else None
    check_output(chosen, kind, vocabulary)
    attribute = read_attribute(chosen.attribute, resolved.run)
    model = loading.load(chosen.workdir, chosen.checkpoint)
    steps = None if chosen.num_steps < 0 else chosen.num_steps
    if steps and not model.has_energy:
        raise InputError("--num_steps needs a prior with an energy, got "
                         f"{steps} for a base alone.")
    if steps and not model.generation.climbs:
        raise InputError(f"--num_steps needs prior chains, got {steps} for a "
                         "model that samples by a flow alone.")
    if kind == kinds.TRAJECTORY:
        count = write_paths(chosen, resolved, model, steps)
        command.say(f"Wrote {chosen.num_paths} paths for each of {count} "
                    f"agents to {chosen.output}.")
        return
    if kind == kinds.PAIR:
        count = write_translations(chosen, resolved, model, steps)
        command.say(f"Wrote {count} translations ({chosen.direction}) to "
                    f"{chosen.output}.")
        return
    labels = symbols(model, chosen)
    samples = model.sample(chosen.num_samples, chosen.seed, num_steps=steps,
                           temperature=chosen.temperature, condition=labels,
                           token_temperature=chosen.token_temperature or None,
                           attribute=attribute)
    if ending == ".npz":
        write_npz(chosen.output, samples, kind, labels)
    elif kind == kinds.IMAGE:
        write_png(chosen.output, samples, labels)
    elif vocabulary is not None:
        write = write_molecules if ending == ".png" else write_text
        write(chosen.output, vocabulary.texts(samples.x))
    command.say(f"Wrote {chosen.num_samples} samples to {chosen.output}.")


if __name__ == "__main__":
    sys.exit(command.run(
        main, __doc__, fields.fields(SampleConfig),
        load_plugins=plugins.load))
