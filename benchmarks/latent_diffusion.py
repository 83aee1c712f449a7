"""Priors of points in the plane: p0, one energy, and a ladder of energies.

    python -m benchmarks.latent_diffusion [--shapes=gaussians,pinwheel]
        [--systems=...] [--seeds=1] [--train_steps=N] [--workdir=DIR]

Yu et al. 2022, arXiv:2206.05895, figure of the toy densities: 16 Gaussians on a
grid and a pinwheel of 10 arms, told by a code of two numbers. Encoder and
decoder are the same in all systems, and all draw samples through the decoder
from their own prior. Measures how many modes samples fall on, how evenly, how
many lie where data lie, and how near the prior comes to the codes. What was
stopped goes on. Writes benchmarks/results/latent_diffusion.json and .md, and a
picture of the samples.
"""

import dataclasses
import os
import statistics
import sys
import time
from typing import Annotated

import numpy as np
from scipy import spatial
import tensorflow as tf

from benchmarks import runs
import lebm_tf
from lebm_tf.assembly.code_ladder import LogitsConfig, NoiseLadderConfig
from lebm_tf.assembly.observations import DenseConfig
from lebm_tf.configuration import command, fields
from lebm_tf.datasets import in_memory
from lebm_tf.evaluation import pictures
from lebm_tf.evaluation.images.frechet import frechet_distance
from lebm_tf.families.latent_diffusion import LatentDiffusionConfig
from lebm_tf.families.symbol_vector import SymbolVectorConfig
from lebm_tf.files import read_json, write_json
from lebm_tf.models import OptimizerConfig
from lebm_tf.ranges import Checked, OneOf, PositiveInt

SHAPES = {"gaussians": 16, "pinwheel": 10}
_FAST = OptimizerConfig(1e-3, beta_1=0.9)
_SHARED = {"latent_dim": 2, "dense_generator": DenseConfig((200,), "relu"),
           "dense_encoder": DenseConfig((200, 200), "relu")}
_LADDER = LatentDiffusionConfig(
    **_SHARED, prior_weight=1.0, masks_entropy=False, cluster_axes=2,
    prior=NoiseLadderConfig(num_steps=20),
    energy=LogitsConfig(hidden_dim=64, num_blocks=3), energy_optimizer=_FAST,
    autoencoder_optimizer=_FAST)
SYSTEMS = {
    "p0": LatentDiffusionConfig(
        **_SHARED, learned_prior=False, prior_weight=1.0, masks_entropy=False,
        autoencoder_optimizer=_FAST),
    # Chains that an encoder starts draw its codes: where the encoder alone
    # did, energy and encoder ran away together within 600 steps, at four rates
    # from 1e-3 down; and at 1e-3 the energy from its chains.
    "one energy": SymbolVectorConfig(
        **_SHARED, prior=lebm_tf.ChainConfig(40, 0.4),
        posterior=lebm_tf.ChainConfig(20, 0.05, start="encoder"),
        information_weight=0.05, energy=lebm_tf.EnergyConfig((200, 200)),
        energy_optimizer=OptimizerConfig(1e-4, beta_1=0.9),
        generator_optimizer=_FAST, encoder_optimizer=_FAST),
    "ladder": dataclasses.replace(_LADDER, symbol_weight=0.0, cluster_axes=3),
    "ladder, clusters": _LADDER}
METRICS = {"modes": "{:.0f}", "histogram_kl": "{:.3f}", "on_data": "{:.3f}",
           "frechet_codes": "{:.3f}", "reconstruction": "{:.4f}"}


@dataclasses.dataclass(frozen=True)
class Benchmark(Checked):
    """What to measure.

    Attributes:
        shapes: gaussians, pinwheel; both if empty.
        systems: p0, one energy, ladder, ladder with clusters; all if empty.
        seeds: Seeds of the runs.
        num_points: Points to learn from.
        train_steps: Steps of each run, of 100 points each.
        num_samples: Samples of each prior.
        workdir: Where the runs are kept.
    """
    shapes: tuple[Annotated[str, OneOf(SHAPES)], ...] = ()
    systems: tuple[Annotated[str, OneOf(SYSTEMS)], ...] = ()
    seeds: tuple[int, ...] = (1,)
    num_points: PositiveInt = 20_000
    train_steps: PositiveInt = 2_000
    num_samples: PositiveInt = 5_000
    workdir: str = "runs/benchmark_latent_diffusion"


def draw(shape: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points float32 [count, 2], and their modes, int64 [count].

    Args:
        shape: gaussians: centres at +-11.31 and +-3.77 of either coordinate,
            standard deviation 1.414; pinwheel: 10 bent arms. Both as in
            synthetic_*.py of the authors.
        count: How many.
        seed: Any int.
    """
    generator = np.random.default_rng(seed)
    modes = generator.integers(0, SHAPES[shape], count)
    noise = generator.standard_normal([count, 2])
    if shape == "gaussians":
        ends = 4 * np.array([-1, -1 / 3, 1 / 3, 1])
        centres = np.stack([ends[modes // 4], ends[modes % 4]], -1)
        points = 4 / 1.414 * (centres + 0.5 * noise)
    else:
        radius, across = 1 + 0.3 * noise[:, 0], 0.1 * noise[:, 1]
        angles = 2 * np.pi * modes / 10 + 0.25 * np.exp(radius)
        cosine, sine = np.cos(angles), np.sin(angles)
        points = 8 * np.stack([radius * cosine - across * sine,
                               radius * sine + across * cosine], -1)
    return points.astype(np.float32), modes


class Shape:
    """A shape with its data, of mean 0 and variance 1.

    Args:
        name: Of `SHAPES`.
        num_points: Points to learn from.
    """

    def __init__(self, name: str, num_points: int):
        self.name, self.num_modes = name, SHAPES[name]
        train, self.modes = draw(name, num_points, 1)
        held_out, _ = draw(name, num_points // 4, 2)
        self.spread = float(train.std())
        self.data = in_memory(
            train / self.spread, held_out / self.spread, "vector", name)
        self.tree = spatial.cKDTree(self.data.x_train)
        distances, _ = self.tree.query(self.data.x_test)
        self.far = np.quantile(distances, 0.99)

    def metrics(self, model, num_samples: int, seed: int) -> dict:
        """What samples and codes of a model are like."""
        z = model.sample(num_samples, seed).z
        x = np.asarray(model.likelihood.mean(tf.constant(z)))
        distances, nearest = self.tree.query(x)
        near = distances <= self.far
        shares = np.bincount(self.modes[nearest[near]],
                             minlength=self.num_modes)
        shares = shares / max(shares.sum(), 1)
        kept = shares > 0
        codes = model.infer(self.data.x_test[:num_samples], seed)
        again = np.asarray(model.likelihood.mean(tf.constant(codes)))
        return {
            "modes": int((shares > 0.2 / self.num_modes).sum()),
            "histogram_kl": float((shares[kept] * np.log(
                shares[kept] * self.num_modes)).sum()),
            "on_data": float(near.mean()),
            "frechet_codes": frechet_distance(z, codes),
            "reconstruction": float(np.square(
                again - self.data.x_test[:num_samples]).mean()),
            "points": {"x": x[:1_500].tolist(), "z": z[:1_500].tolist(),
                       "codes": codes[:1_500].tolist()}}


def measure(shape: Shape, system: str, seed: int, chosen: Benchmark) -> dict:
    """Trains a system, or goes on, and measures it."""
    config = dataclasses.replace(
        SYSTEMS[system], likelihood_scale=1 / shape.spread, **(
            {} if system == "p0" else {"num_symbols": shape.num_modes}))
    family = "symbol_vector" if system == "one energy" else (
        "latent_diffusion")
    model = lebm_tf.build(family, config, shape.data, batch_size=100,
                          seed=seed)
    started = time.perf_counter()
    lebm_tf.fit(model, shape.data, lebm_tf.RunConfig(
        train_steps=chosen.train_steps, checkpoint_every=500, log_every=100,
        workdir=os.path.join(chosen.workdir, shape.name, runs.folder_of(
            f"{system}_{seed}"))), verbose=False)
    return {**shape.metrics(model, chosen.num_samples, seed),
            "minutes": (time.perf_counter() - started) / 60,
            "steps": int(model.step)}


def table(results: dict) -> str:
    """Markdown: means over seeds."""
    lines = ["| | modes | KL of the histogram, nats | on data | Fréchet of "
             "prior and codes | reconstruction, squared |",
             "|---|---|---|---|---|---|"]
    for shape, found in results["runs"].items():
        for system, of_seeds in found.items():
            cells = [form.format(statistics.mean(
                run[name] for run in of_seeds.values()))
                for name, form in METRICS.items()]
            lines.append(f"| {shape}, {system} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def draw_picture(path: str, shapes: dict, results: dict) -> None:
    """Data, and samples and codes of every system, in one picture."""
    figure = pictures.new_figure(figsize=(9.0, 4.2 * len(results["runs"])))
    rows = 2 * len(results["runs"])
    columns = 1 + max(map(len, results["runs"].values()))
    for row, (name, found) in enumerate(results["runs"].items()):
        data = shapes[name].data.x_train[:1_500]
        panels = [("data", data, None)] + [
            (system, *(np.array(next(iter(of_seeds.values()))["points"][key])
                       for key in ("x", "z")))
            for system, of_seeds in found.items()]
        for column, (title, x, z) in enumerate(panels):
            for k, points in enumerate((x, z)):
                if points is None:
                    continue
                axes = figure.add_subplot(
                    rows, columns, (2 * row + k) * columns + column + 1)
                if k:
                    codes = np.array(next(iter(
                        found[title].values()))["points"]["codes"])
                    axes.plot(*codes.T, ",", color="0.7")
                axes.plot(*points.T, ",", color="tab:red" if k else "tab:blue")
                axes.set_title(title if not k else "prior on codes",
                               fontsize=8)
                axes.tick_params(labelsize=5)
    figure.tight_layout()
    pictures.save_figure(path, figure)


def main(values) -> None:
    """Measures what is left, and writes the table after every run."""
    chosen = fields.from_flags(Benchmark, values)
    kept = os.path.join(chosen.workdir, "results.json")
    results = read_json(kept) if os.path.exists(kept) else {"runs": {}}
    shapes = {name: Shape(name, chosen.num_points)
              for name in chosen.shapes or SHAPES}
    for name, shape in shapes.items():
        for system in chosen.systems or SYSTEMS:
            of_seeds = results["runs"].setdefault(name, {}).setdefault(
                system, {})
            for seed in chosen.seeds:
                if of_seeds.get(str(seed), {}).get(
                        "steps") != chosen.train_steps:
                    of_seeds[str(seed)] = measure(shape, system, seed, chosen)
                    write(chosen, shapes, results)
    command.say(table(results))


def write(chosen: Benchmark, shapes: dict, results: dict) -> None:
    """Keeps all beside the runs, and the figures and the picture beside the
    others."""
    write_json(os.path.join(chosen.workdir, "results.json"), results)
    shown = {name: {system: {seed: {key: value for key, value in run.items()
                                    if key != "points"}
                             for seed, run in of_seeds.items()}
                    for system, of_seeds in found.items() if of_seeds}
             for name, found in results["runs"].items()}
    runs.write("latent_diffusion", {
        **runs.begun("latent_diffusion"), "runs": shown,
        "settings": {**fields.to_dict(chosen), "workdir": ""}},
        table({"runs": shown}))
    folder = os.path.join(runs.RESULTS, "latent_diffusion")
    os.makedirs(folder, exist_ok=True)
    draw_picture(os.path.join(folder, "points.png"), shapes, {
        "runs": {name: {system: of_seeds for system, of_seeds in found.items()
                        if of_seeds}
                 for name, found in results["runs"].items()}})


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(Benchmark)))
