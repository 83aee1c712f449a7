"""Draws samples from the model of a run.

    python -m lebm_tf.sample --workdir=DIR --num_samples=64 --seed=7 \\
        --output=samples.png

The ending of --output chooses: .png a grid of pictures; .txt or .smi text,
one sequence a line; .npz arrays x (uint8, or int32 tokens), z and energy. Of
trajectories the paths of that many held-out agents: .png a picture of each
scene, .npz arrays past, future, predictions, plans, energy, scene and start.
"""

import dataclasses
import os
import sys

from lebm_tf import startup

startup.import_tensorflow()

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from lebm_tf import command, config, workdir as workdirs  # noqa: E402
from lebm_tf.datasets import to_uint8  # noqa: E402
from lebm_tf.errors import InputError  # noqa: E402
from lebm_tf.evaluation import pictures, trajectories  # noqa: E402
from lebm_tf.evaluation.evaluator import has_energy  # noqa: E402
from lebm_tf.files import atomic_path  # noqa: E402


@dataclasses.dataclass(frozen=True)
class SampleConfig:
    """What to draw, and where to.

    Attributes:
        workdir: Work directory of a run.
        checkpoint: best (by the run's early_stop) or last; best if the run
            kept one.
        num_samples: How many, >= 1.
        seed: Any integer; the same seed gives the same samples.
        output: File to write: .png of pictures and trajectories, .txt or
            .smi of sequences, or .npz.
        num_steps: Moves of the chains; -1 as trained, 0 draws from the base.
        temperature: > 0; chains climb log p / temperature.
        num_paths: Predictions of each agent of trajectories, >= 1.
        data_dir: Where trajectories lie, if not where they lay in training.
    """
    workdir: str = ""
    checkpoint: str = ""
    num_samples: int = 64
    seed: int = 0
    output: str = ""
    num_steps: int = -1
    temperature: float = 1.0
    num_paths: int = 20
    data_dir: str = ""

    def __post_init__(self):
        for name in ("num_samples", "num_paths"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be >= 1, got {getattr(self, name)}.")
        if self.num_steps < -1:
            raise ValueError(
                f"num_steps must be >= -1, got {self.num_steps}.")
        if not self.temperature > 0:
            raise ValueError(
                f"temperature must be > 0, got {self.temperature}.")


def write_png(path: str, samples) -> None:
    """Writes a grid of pictures."""
    columns = pictures.square_columns(len(samples.x))
    pictures.save_png(
        path, pictures.enlarge(pictures.grid(samples.x, columns)))


def write_text(path: str, texts: list[str]) -> None:
    """Writes one text a line."""
    with atomic_path(path) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            file.writelines(text + "\n" for text in texts)


def write_npz(path: str, samples) -> None:
    """Writes x (uint8, or int32 tokens), energy, and z or z1, z2, ..."""
    x = samples.x
    if np.issubdtype(x.dtype, np.floating):
        x = to_uint8(x).numpy()
    leaves = tf.nest.flatten(samples.z)
    names = ["z"] if len(leaves) == 1 else [
        f"z{i + 1}" for i in range(len(leaves))]
    with atomic_path(path) as temporary:
        np.savez(temporary, x=x, energy=samples.energy,
                 **dict(zip(names, leaves)))


def write_paths(chosen: SampleConfig, resolved: workdirs.Run, model,
                num_steps: int | None) -> int:
    """Writes predicted paths of held-out agents; returns of how many."""
    run = resolved.run
    if chosen.data_dir:
        run = dataclasses.replace(run, data_dir=chosen.data_dir)
    data = workdirs.load_data(run, resolved.data)
    tracks = data.part("test")
    rows = np.unique(np.linspace(0, len(tracks.past) - 1, min(
        chosen.num_samples, len(tracks.past))).astype(int))
    # Their companions are looked at, too.
    context = trajectories.contexts(model, data, tracks)
    chosen_tracks = tracks.take(rows)
    paths = trajectories.predict(
        model, data, chosen_tracks, chosen.num_paths, chosen.seed,
        tf.nest.map_structure(lambda leaf: leaf[rows], context),
        num_steps=num_steps, temperature=chosen.temperature)
    if chosen.output.lower().endswith(".png"):
        trajectories.save_paths(
            chosen.output, data, chosen_tracks, paths)
        return len(rows)
    with atomic_path(chosen.output) as temporary:
        np.savez(temporary, **chosen_tracks._asdict(), **paths._asdict())
    return len(rows)


ENDINGS = {"images": (".png", ".npz"), "sequences": (".txt", ".smi", ".npz"),
           "trajectories": (".png", ".npz")}


def main(values) -> None:
    """Draws and writes."""
    chosen = config.from_flags(SampleConfig, values)
    ending = os.path.splitext(chosen.output)[1].lower()
    resolved = workdirs.read(chosen.workdir)
    kind = ("trajectories" if resolved.data.past_length else
            "sequences" if resolved.data.num_tokens else "images")
    if ending not in ENDINGS[kind]:
        raise InputError(
            f"--output must end with {' or '.join(ENDINGS[kind])} for {kind}, "
            f"got {chosen.output!r}.")
    model = workdirs.load(chosen.workdir, chosen.checkpoint)
    steps = None if chosen.num_steps < 0 else chosen.num_steps
    if steps and not has_energy(model):
        raise InputError("--num_steps needs a prior with an energy to climb, "
                         f"got {steps} for the base alone.")
    if kind == "trajectories":
        count = write_paths(chosen, resolved, model, steps)
        command.say(f"Wrote {chosen.num_paths} paths of each of {count} "
                    f"agents to {chosen.output}.")
        return
    samples = model.sample(chosen.num_samples, chosen.seed, num_steps=steps,
                           temperature=chosen.temperature)
    if ending in (".txt", ".smi"):
        vocabulary = workdirs.read_vocabulary(chosen.workdir)
        write_text(chosen.output, vocabulary.texts(samples.x))
    else:
        {".png": write_png, ".npz": write_npz}[ending](chosen.output, samples)
    command.say(f"Wrote {chosen.num_samples} samples to {chosen.output}.")


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, config.fields(SampleConfig)))
