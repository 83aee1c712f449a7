"""Learned samplers: the quality of samples against what one costs.

    python -m benchmarks.amortized [--seeds=1,2,3] [--workdir=DIR]

Every system trains anew on the 1,797 digits that ship with scikit-learn and is
measured alike: the Frechet distance, in the features of one classifier, of
5,000 samples to the held-out digits, at 0 to 200 evaluations of a network for
a sample. An evaluation is a move of a chain (energy and gradient), a reverse
step of a diffusion or a pass of a flow; a draw of the base costs none. Then the
error of reconstructions, and KL(q || p) of a flow to the prior by annealing.
Writes benchmarks/results/amortized.json, with the seconds of training, and
.md. Finished runs are kept, so a stopped measurement goes on.
"""

import dataclasses
import os
import statistics
import sys

from lebm_tf.configuration import startup

startup.import_tensorflow()

from benchmarks import runs  # noqa: E402
from lebm_tf import load  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.datasets import load_dataset  # noqa: E402
from lebm_tf.densities import (  # noqa: E402
    DiffusionEncoder, Fitted, Unconditional)
from lebm_tf.evaluation.images import features  # noqa: E402
from lebm_tf.evaluation.images.frechet import frechet_distance  # noqa: E402
from lebm_tf.mcmc import Independence, Langevin, Mala  # noqa: E402
from lebm_tf.samplers import FromBase, ShortRun  # noqa: E402

MOVES = (0, 1, 5, 10, 20, 60, 100, 200)
REVERSE_STEPS = (1, 5, 10, 20, 50, 100)
STEP_SIZE = 0.25  # Of chains behind a flow that has none, as in the flagfile.
WHITE_STEP_SIZE = 0.3  # The same in the coordinates of a base, quickstart.cfg.
SYSTEMS = {
    "learned prior of the quickstart": ("configs/quickstart.cfg",
                                        "--baseline="),
    "the same with a flow over its base": ("configs/quickstart_flow.cfg",),
    "flow and encoder": ("configs/amortized_digits.cfg",),
    "flow and encoder, divergences alone": (
        "configs/amortized_digits.cfg", "--flow_teaching=0",
        "--energy_optimizer_learning_rate=5e-4"),
    "autoencoder and 10 Gaussians": ("configs/quickstart_rae.cfg",),
    "chains of 60 and 40 moves": ("configs/quickstart_joint.cfg",
                                  "--baseline="),
    "hybrid, 10 moves": (
        "configs/amortized_digits.cfg", "--prior_sampler=hybrid",
        "--prior_num_steps=10", "--prior_step_size=0.25",
        "--prior_jit_compile=on", "--posterior_sampler=hybrid",
        "--posterior_num_steps=10", "--posterior_jit_compile=on"),
    "flow prior": ("configs/flow_prior_digits.cfg",),
    "divergence triangle": ("configs/divergence_triangle_digits.cfg",),
    "diffusion (DAMC)": ("configs/damc_digits.cfg",)}


@dataclasses.dataclass(frozen=True)
class AmortizedBenchmark:
    """What to measure.

    Attributes:
        seeds: Seeds of the runs, each trained anew.
        workdir: Where the runs are kept.
        num_samples: Samples behind a distance.
        systems: Which, by their names; all if none.
    """
    seeds: tuple[int, ...] = (1, 2, 3)
    workdir: str = "runs/benchmark_amortized"
    num_samples: int = 5000
    systems: tuple[str, ...] = ()


def samplers(model) -> dict[str, object]:
    """Name -> sampler, and what one of its samples costs in evaluations."""
    drawn = model.roles["generation"].sampler
    if isinstance(model.encoder, DiffusionEncoder):
        found = {("diffusion", steps): ShortRun(FromBase(Unconditional(
            model.encoder.with_steps(steps))), Langevin(STEP_SIZE), 0)
            for steps in REVERSE_STEPS}
        chains = ShortRun(FromBase(model.prior.base), Langevin(STEP_SIZE), 0)
        return found | {("chains from the base", moves): chains.with_steps(
            moves) for moves in MOVES}
    if "flow" in model.parts and model.has_energy:
        (flow,), base = model.parts["flow"], model.prior.base
        chains = ShortRun(FromBase(flow), Langevin(STEP_SIZE), 0)
        found = {}
        if isinstance(base, Fitted):
            chains = ShortRun(FromBase(flow), Mala(WHITE_STEP_SIZE), 0,
                              coordinates=base)
            independent = ShortRun(FromBase(flow), Independence(flow), 0)
            found = {("flow, then its draws as proposals", 1 + moves):
                     independent.with_steps(moves) for moves in MOVES}
        return {**{("flow, then chains", 1 + moves): chains.with_steps(moves)
                   for moves in MOVES}, **found}
    if not model.has_energy:
        return {("its prior", int("flow" in model.parts)): drawn}
    return {("chains from the base", moves): drawn.with_steps(moves)
            for moves in MOVES}


def curve(model, extract, reference, num_samples: int) -> dict[str, dict]:
    """Way to sample -> evaluations -> Frechet distance."""
    role, found = model.roles["generation"], {}
    for (way, count), sampler in samplers(model).items():
        model.roles["generation"] = dataclasses.replace(role, sampler=sampler)
        model.__dict__.pop("_compiled_functions", None)
        x = model.sample(num_samples, seed=7).x
        found.setdefault(way, {})[str(count)] = frechet_distance(
            extract(x), reference)
    model.roles["generation"] = role
    return found


def measure(name: str, seed: int, chosen: AmortizedBenchmark) -> dict:
    """Trains and measures one run, or continues it."""
    flagfile, *flags = SYSTEMS[name]
    workdir = os.path.join(chosen.workdir, f"{runs.folder_of(name)}_{seed}")
    evaluators = "reconstruction" + (
        ",sampler" if "amortized" in flagfile else "")
    metrics = runs.trained(
        workdir, f"--flagfile={flagfile}", *flags, f"--seed={seed}",
        f"--evaluators={evaluators}")
    data = load_dataset("digits")
    extract = features.load("classifier", data, classifier_path=os.path.join(
        chosen.workdir, "classifier.npz"))
    reference = extract(data.x_test)
    return {"curves": curve(load(workdir), extract, reference,
                            chosen.num_samples),
            "real": frechet_distance(extract(data.x_train), reference),
            "seconds": metrics["training/seconds"],
            **{key: value for key, value in metrics.items()
               if key.startswith("sampler/") or key == "reconstruction/mse"}}


def table(results: dict) -> str:
    """The results as Markdown: means over seeds, and their spread."""
    counts = sorted({int(count) for seeds in results["runs"].values()
                     for row in seeds.values()
                     for way in row["curves"].values() for count in way})
    lines = ["| system | samples by | " + " | ".join(map(str, counts))
             + " | reconstruction | KL(q, p) | seeds |",
             "|---" * (len(counts) + 5) + "|"]
    for name, seeds in results["runs"].items():
        rows = list(seeds.values())
        for i, way in enumerate(rows[0]["curves"]):
            cells = [_mean([row["curves"][way][str(count)] for row in rows
                            if str(count) in row["curves"].get(way, {})], 2)
                     for count in counts]
            ends = [_mean([row[key] for row in rows if key in row], digits)
                    for key, digits in (("reconstruction/mse", 4),
                                        ("sampler/kl", 2))]
            lines.append(" | ".join([
                f"| {name}" if not i else "| ", way, *cells,
                *(ends if not i else [""] * 2),
                f"{len(rows)} |" if not i else " |"]))
    return "\n".join(lines) + "\n"


def _mean(values, digits):
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.{digits}f}" if (
        len(values) > 1 and digits) else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


def main(values) -> None:
    """Measures everything, one system after the other, and writes the table
    after each."""
    chosen = fields.from_flags(AmortizedBenchmark, values)
    results = runs.begun("amortized", "runs")
    for seed in chosen.seeds:
        for name in SYSTEMS:
            wanted = not chosen.systems or name in chosen.systems
            if wanted and str(seed) not in results["runs"].get(name, {}):
                results["runs"].setdefault(name, {})[str(seed)] = measure(
                    name, seed, chosen)
                runs.write("amortized", results, table(results))
    command.say(table(results))


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(AmortizedBenchmark)))
