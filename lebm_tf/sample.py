"""Draws samples from the model of a run.

    python -m lebm_tf.sample --workdir=DIR --num_samples=64 --seed=7 \\
        --output=samples.png

The ending of --output chooses: .png a grid of pictures; .txt or .smi text,
one sequence a line; .npz arrays x (uint8, int32 tokens, or float32 vectors),
z and energy, and label with --label.
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
from lebm_tf.evaluation import pictures  # noqa: E402
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
        output: File to write: .png of pictures, .txt or .smi of sequences,
            or .npz.
        num_steps: Moves of the chains; -1 as trained, 0 draws from the base.
        temperature: > 0; chains climb log p / temperature.
        label: Symbols to draw from p(z | y), of the family symbol_vector; of
            several each gets as many samples, one row of a grid.
    """
    workdir: str = ""
    checkpoint: str = ""
    num_samples: int = 64
    seed: int = 0
    output: str = ""
    num_steps: int = -1
    temperature: float = 1.0
    label: tuple[int, ...] = ()

    def __post_init__(self):
        if self.num_samples < 1:
            raise ValueError(
                f"num_samples must be >= 1, got {self.num_samples}.")
        if self.num_steps < -1:
            raise ValueError(
                f"num_steps must be >= -1, got {self.num_steps}.")
        if not self.temperature > 0:
            raise ValueError(
                f"temperature must be > 0, got {self.temperature}.")
        if self.label and self.num_samples % len(self.label):
            raise ValueError(
                f"num_samples must be a multiple of the {len(self.label)} "
                f"labels, got {self.num_samples}.")


def write_png(path: str, samples, labels=None) -> None:
    """Writes a grid of pictures, a row for each label if there are some."""
    rows = 1 if labels is None else len(np.unique(labels))
    columns = pictures.square_columns(len(samples.x)) if rows == 1 else (
        len(samples.x) // rows)
    pictures.save_png(
        path, pictures.enlarge(pictures.grid(samples.x, columns)))


def write_text(path: str, texts: list[str]) -> None:
    """Writes one text a line."""
    with atomic_path(path) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            file.writelines(text + "\n" for text in texts)


def write_npz(path: str, samples, labels=None) -> None:
    """Writes x (uint8, int32 tokens, or float32 vectors), energy, label if
    there are some, and z or z1, z2, ..."""
    x = samples.x
    if np.issubdtype(x.dtype, np.floating) and x.ndim == 4:
        x = to_uint8(x).numpy()
    leaves = tf.nest.flatten(samples.z)
    names = ["z"] if len(leaves) == 1 else [
        f"z{i + 1}" for i in range(len(leaves))]
    with atomic_path(path) as temporary:
        np.savez(temporary, x=x, energy=samples.energy,
                 **({} if labels is None else {"label": labels}),
                 **dict(zip(names, leaves)))


def symbols(model, chosen: SampleConfig) -> np.ndarray | None:
    """The symbol of every sample, int32 [num_samples]; None without.

    Raises:
        InputError: If the model has no such symbol.
    """
    if not chosen.label:
        return None
    if not hasattr(model.prior, "num_symbols"):
        raise InputError("--label needs a prior with symbols, as of the family"
                         f" symbol_vector, got {chosen.label[0]}.")
    known = model.prior.num_symbols
    wrong = [label for label in chosen.label if not 0 <= label < known]
    if wrong or len(set(chosen.label)) < len(chosen.label):
        raise InputError(f"--label must hold different symbols from 0 to "
                         f"{known - 1}, got "
                         f"{', '.join(map(str, chosen.label))}.")
    return np.repeat(np.array(chosen.label, np.int32),
                     chosen.num_samples // len(chosen.label))


ENDINGS = {"images": (".png", ".npz"), "sequences": (".txt", ".smi", ".npz"),
           "vectors": (".npz",)}


def main(values) -> None:
    """Draws and writes."""
    chosen = config.from_flags(SampleConfig, values)
    ending = os.path.splitext(chosen.output)[1].lower()
    resolved = workdirs.read(chosen.workdir)
    kind = "sequences" if resolved.data.num_tokens else (
        "images" if len(resolved.data.shape) == 3 else "vectors")
    if ending not in ENDINGS[kind]:
        raise InputError(
            f"--output must end with {' or '.join(ENDINGS[kind])} for {kind}, "
            f"got {chosen.output!r}.")
    model = workdirs.load(chosen.workdir, chosen.checkpoint)
    steps = None if chosen.num_steps < 0 else chosen.num_steps
    if steps and not has_energy(model):
        raise InputError("--num_steps needs a prior with an energy to climb, "
                         f"got {steps} for the base alone.")
    labels = symbols(model, chosen)
    samples = model.sample(chosen.num_samples, chosen.seed, num_steps=steps,
                           temperature=chosen.temperature, condition=labels)
    if ending in (".txt", ".smi"):
        vocabulary = workdirs.read_vocabulary(chosen.workdir)
        write_text(chosen.output, vocabulary.texts(samples.x))
    else:
        {".png": write_png, ".npz": write_npz}[ending](
            chosen.output, samples, labels)
    command.say(f"Wrote {chosen.num_samples} samples to {chosen.output}.")


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, config.fields(SampleConfig)))
