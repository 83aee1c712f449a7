"""Recovery likelihood: an exact test in the plane, and digits beside others.

    python -m benchmarks.recovery [--parts=plane,digits] [--cpu_seconds=8]

plane: at every level of noise exp(-E / s^2) is normalized on a grid and
compared with the true noised density. Six levels of 30 moves (DRL), six of 15
with proposals (CDRL) and one energy with 180 moves from N(0, I) have the same
network, and learn for as many seconds of processor time. digits: the same two
ladders and the image family, likewise. Rows that are measured are kept. Writes
benchmarks/results/recovery.json, recovery.md and recovery_plane.png.
"""

import dataclasses
import os
import sys
import time
from typing import Annotated

from lebm_tf.configuration import startup

startup.import_tensorflow()

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from benchmarks import plane, runs  # noqa: E402
from lebm_tf import datasets, families  # noqa: E402
from lebm_tf.assembly.components import compiled  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.datasets.in_memory import in_memory  # noqa: E402
from lebm_tf.densities import EnergyPrior, Flat, prior_target  # noqa: E402
from lebm_tf.evaluation import (  # noqa: E402
    Context, FrechetEvaluator, LevelsEvaluator, evaluate, pictures)
from lebm_tf.families import DataSpec, recovery_likelihood  # noqa: E402
from lebm_tf.kinds import VECTOR  # noqa: E402
from lebm_tf.mcmc import Langevin, rng  # noqa: E402
from lebm_tf.mcmc.kernel import initial_state  # noqa: E402
from lebm_tf.models import (  # noqa: E402
    EnergyModel, OptimizerConfig, Role, averaging)
from lebm_tf.networks import LevelEnergy, ResidualEnergy  # noqa: E402
from lebm_tf.objectives import Objective, energy_contrast  # noqa: E402
from lebm_tf.ranges import MinLen, OneOf, PositiveFloat  # noqa: E402
from lebm_tf.samplers import Draw, FromData, FromNoise, ShortRun  # noqa: E402
from lebm_tf.train import from_flagfile  # noqa: E402

PARTS = ("plane", "digits")
_BATCH, _NUM_POINTS, _NUM_SAMPLES = 128, 50_000, 10_000
_LONG = 500  # Moves of long chains.
_LEARNING = {"learning_rate": 1e-3, "beta_1": 0.9, "average_decay": 0.995,
             "warmup_steps": 100, "clip_norm": 1.0}
_NETWORK = recovery_likelihood.LevelEnergyConfig(
    64, (1, 2), 1, 32, activates_time=True, starts_small=False,
    has_head_bias=False)
_LADDER = recovery_likelihood.RecoveryLikelihoodConfig(
    schedule="angles", num_steps=30, step_factor=2e-3, steps_grow=False,
    jit_compile="on",
    energy=_NETWORK, energy_optimizer=OptimizerConfig(**_LEARNING))
_NAMES = ("DRL, 6 x 30", "CDRL, 6 x 15", "one energy, 180")
_DIGITS = {"DRL, 6 x 20": "configs/recovery_digits.cfg",
           "CDRL, 6 x 10": "configs/recovery_digits_proposal.cfg",
           "image family": "configs/quickstart_joint.cfg"}


@dataclasses.dataclass(frozen=True)
class RecoveryBenchmark:
    """What to measure.

    Attributes:
        parts: plane, digits or both.
        cpu_seconds: Of processor time that each model of the plane learns.
        digits_cpu_seconds: Of each model of digits.
        seed: Of all of it.
    """
    parts: Annotated[tuple[Annotated[str, OneOf(PARTS)], ...], MinLen(1)] = (
        PARTS)
    cpu_seconds: PositiveFloat = 8.0
    digits_cpu_seconds: PositiveFloat = 600.0
    seed: int = 0


def ladder(name: str) -> recovery_likelihood.RecoveryLikelihoodConfig:
    """The configuration of a ladder of the plane."""
    if name.startswith("DRL"):
        return _LADDER
    return dataclasses.replace(
        _LADDER, num_steps=15, start="proposal", shares_noise=True,
        proposal=recovery_likelihood.ProposalConfig(64, (1,), 1, 16),
        proposal_optimizer=OptimizerConfig(**_LEARNING))


def one_energy(data: DataSpec, seed: int) -> EnergyModel:
    """One energy of the lowest level, whose chains start from N(0, I)."""
    levels = _LADDER.levels()
    step_size = 0.1
    prior = EnergyPrior(Flat(), LevelEnergy(ResidualEnergy(
        data.shape, seed=seed, **dataclasses.asdict(_NETWORK)), (0.0,), 1.0))

    def make(batch, seed):
        x = batch["x"]
        x = (levels.factors[0] * x
             + levels.scales[0] * rng.normal_like(x, seed))
        return Draw(x, initial_state(x))

    def scaled(model, draws):
        target = prior_target(prior)
        return dataclasses.replace(target, log_prob=lambda x, rows: (
            target.log_prob(x, rows) / step_size**2))
    model = EnergyModel(
        prior=prior, seed=seed, parts={"energy": prior.energy_network},
        objectives={"energy": Objective(
            ("energy",), {"energy": energy_contrast})},
        roles={"positive": FromData(make), "negative": Role(ShortRun(
            FromNoise(data.shape), Langevin(step_size), 180, "auto"),
            scaled)})
    return compiled(model, {"energy": _LADDER.energy_optimizer}, data, _BATCH)


def learn(model: EnergyModel, data, batch_size: int, seconds: float,
          seed: int) -> int:
    """Trains for so much processor time after a first step; returns steps."""
    batches = iter(datasets.train_batches(data, batch_size, seed))
    step = tf.function(model.train_step, autograph=False)
    step(next(batches))
    started, count = time.process_time(), 1
    while time.process_time() - started < seconds:
        logs = step(next(batches))
        count += 1
    command.say(f"{count} steps: " + ", ".join(
        f"{key} {float(logs[key]):.3g}" for key in logs if "loss" in key))
    averaging.install(model)
    return count


def log_densities(model: EnergyModel, name: str) -> list[np.ndarray]:
    """Of x_t at the cells of the grid, level by level, up to constants."""
    cells, found = plane.grid(), []
    levels = _LADDER.levels()
    count = 1 if name == _NAMES[2] else levels.num_levels
    for t in range(count):
        def log_prob(x, t=t):
            if name == _NAMES[2]:
                return -model.prior.energy(x) / 0.1**2
            y = levels.model_factors[t + 1] * x
            return model.prior.unnormalized_log_prob(
                y, condition=tf.fill(tf.shape(y)[:1], t))
        compiled_log_prob = tf.function(log_prob, autograph=False)
        found.append(np.concatenate([
            compiled_log_prob(part).numpy()
            for part in np.split(cells, 16)]))
    return found


def measure_plane(name: str, kind: str, chosen: RecoveryBenchmark
                  ) -> tuple[dict, np.ndarray, np.ndarray]:
    """(metrics; density of the lowest level; samples)."""
    points = plane.SETS[kind](_NUM_POINTS, np.random.default_rng(
        chosen.seed + 1)).astype(np.float32)
    data = in_memory(points[1000:], points[:1000], VECTOR, kind)
    spec, levels = DataSpec.of(data), _LADDER.levels()
    if name == _NAMES[2]:
        model = one_energy(spec, chosen.seed)
    else:
        model = recovery_likelihood.build(
            ladder(name), spec, batch_size=_BATCH, seed=chosen.seed)
    steps = learn(model, data, _BATCH, chosen.cpu_seconds, chosen.seed)
    found = log_densities(model, name)
    model.inference_batch = 4000
    x = model.sample(_NUM_SAMPLES, chosen.seed).x
    true = [plane.noised(kind, levels.total_factors[t], levels.total_scales[t])
            for t in range(levels.num_levels)]
    return {"steps": steps, "kl_levels": [
        plane.divergence(probs, log_density)
        for probs, log_density in zip(true, found)],
        "kl_samples": plane.sample_divergence(true[0], x)}, found[0], x


def measure_digits(name: str, chosen: RecoveryBenchmark) -> dict:
    """Frechet distances of samples, in the features of a classifier; of the
    first ladder also what `LevelsEvaluator` measures."""
    run, model, _ = from_flagfile(
        _DIGITS[name], f"--seed={chosen.seed}", "--baseline=")
    data = datasets.load_dataset("digits")
    model = families.build(run.family, model, data, seed=chosen.seed,
                           batch_size=run.batch_size)
    steps = learn(model, data, run.batch_size, chosen.digits_cpu_seconds,
                  chosen.seed)
    folder = os.path.join("runs", "recovery_digits_pictures")
    os.makedirs(folder, exist_ok=True)
    metrics = evaluate(model, Context(data, classifier_path=os.path.join(
        folder, "classifier")), [FrechetEvaluator(num_samples=1000)])
    pictures.save_png(
        os.path.join(folder, f"{runs.folder_of(name)}.png"),
        pictures.enlarge(pictures.grid(model.sample(64, chosen.seed).x, 8)))
    row = {"steps": steps, "samples": metrics["frechet/samples"],
           "kernel": metrics["kernel/samples"],
           "real": metrics["frechet/real"]}
    if name.startswith("DRL"):
        row["levels"] = evaluate(
            model, Context(data, directory=folder), [LevelsEvaluator(
                100, 300, 20, num_steps=_LONG, num_chains=8)])
    return row


def table(results: dict) -> str:
    """The results as Markdown."""
    levels = range(_LADDER.levels().num_levels)
    lines = ["| plane | | steps | " + " | ".join(
        f"KL level {t}" for t in levels) + " | KL of samples |",
        "|---|---|---|" + "---|" * (len(levels) + 1)]
    for key, row in results["plane"].items():
        kind, name = key.split(": ")
        cells = [f"{value:.3f}" for value in row["kl_levels"]]
        cells += [""] * (len(levels) - len(cells))
        lines.append(f"| {kind} | {name} | {row['steps']} | "
                     + " | ".join(cells) + f" | {row['kl_samples']:.3f} |")
    if results["digits"]:
        lines += ["", "| digits | steps | Fréchet | kernel | real digits |",
                  "|---|---|---|---|---|"]
    for name, row in results["digits"].items():
        lines.append(f"| {name} | {row['steps']} | {row['samples']:.2f} | "
                     f"{row['kernel']:.3f} | {row['real']:.2f} |")
    for name, row in results["digits"].items():
        if "levels" in row:
            lines += ["", f"| digits, {name} | |", "|---|---|", *(
                f"| {key.removeprefix('levels/')} | {value:.3f} |"
                for key, value in row["levels"].items())]
    return "\n".join(lines) + "\n"


def _density(folder, kind, name):
    """Where the density and the samples of a row are kept."""
    return os.path.join(folder, f"{kind}_{runs.folder_of(name)}.npz")


def draw(folder: str, path: str) -> None:
    """The densities of the lowest level, beside the true ones, of the sets
    that all were measured on."""
    levels, shown = _LADDER.levels(), {}
    for kind in plane.SETS:
        if not all(os.path.exists(_density(folder, kind, name))
                   for name in _NAMES):
            continue
        shown.setdefault("true", []).append(plane.noised(
            kind, levels.total_factors[0], levels.total_scales[0]))
        for name in _NAMES:
            with np.load(_density(folder, kind, name)) as arrays:
                density = arrays["density"].astype(np.float64)
            shown.setdefault(name, []).append(np.exp(
                density - np.logaddexp.reduce(density)))
    side = plane.NUM_CELLS
    pictures.save_panels(path, [(name, np.stack([
        2.0 * np.minimum(1.0, np.sqrt(probs / np.quantile(probs, 0.999)))
        .reshape(side, side, 1) - 1.0 for probs in densities]))
        for name, densities in shown.items()], 1)


def main(values) -> None:
    """Measures what is not measured yet, and writes the tables."""
    chosen = fields.from_flags(RecoveryBenchmark, values)
    results = runs.begun("recovery", *PARTS)
    results["processor"] = {"cpu_seconds": chosen.cpu_seconds,
                            "digits_cpu_seconds": chosen.digits_cpu_seconds}
    folder = os.path.join("runs", "recovery_plane")
    if "plane" in chosen.parts:
        for kind in plane.SETS:
            for name in _NAMES:
                if f"{kind}: {name}" in results["plane"]:
                    continue
                row, density, x = measure_plane(name, kind, chosen)
                results["plane"][f"{kind}: {name}"] = row
                os.makedirs(folder, exist_ok=True)
                np.savez(_density(folder, kind, name), density=density, x=x)
                runs.write("recovery", results, table(results))
        draw(folder, os.path.join(runs.RESULTS, "recovery_plane.png"))
    if "digits" in chosen.parts:
        for name in _DIGITS:
            if name not in results["digits"]:
                results["digits"][name] = measure_digits(name, chosen)
                runs.write("recovery", results, table(results))
    command.say(table(results))


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(RecoveryBenchmark)))
