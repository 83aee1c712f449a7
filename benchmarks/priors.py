"""Priors over the codes of one autoencoder: an energy beside mixtures.

    python -m benchmarks.priors --data=mnist [--seeds=1,2,3] [--workdir=DIR]

For every seed, configs/DATA.cfg trains an autoencoder and a learned prior on
its codes. Mixtures of Gaussians are fitted to the codes of the same autoencoder
and of one that is trained for --longer times as many steps, which takes about
as long as autoencoder and learned prior together. All are measured alike, by
10,000 samples: Frechet distance, precision and recall in the features of one
classifier, and log p(z) of codes of held-out images. "Decoded codes" are those
of training images: what a perfect prior of this autoencoder would give. Writes
benchmarks/results/priors.json and .md. Finished runs are kept, so a stopped
measurement goes on.
"""

import dataclasses
import os
import statistics
import sys
import time
from typing import Annotated

from lebm_tf.configuration import startup

startup.import_tensorflow()

import numpy as np  # noqa: E402

from benchmarks import runs  # noqa: E402
from lebm_tf import load  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.densities import GaussianMixture  # noqa: E402
from lebm_tf.evaluation.images import features  # noqa: E402
from lebm_tf.evaluation.images.frechet import frechet_distance  # noqa: E402
from lebm_tf.evaluation.images.manifold import precision_recall  # noqa: E402
from lebm_tf.mcmc import rng  # noqa: E402
from lebm_tf.ranges import Checked, OneOf, PositiveFloat  # noqa: E402
from lebm_tf.training import workdir as workdirs  # noqa: E402
from lebm_tf.training.fit_codes import codes_of  # noqa: E402

DATA = ("mnist",)
SAMPLES, _ROWS, _COMPARED = 10_000, 500, 5_000
# Mixtures are fitted as the base of the learned prior: to as many codes, with
# the floor of the flagfile.
COMPONENTS, FITTED, FLOOR = (10, 30, 100, 300), 20_000, 0.01
COLUMNS = {"frechet": "Fréchet", "precision": "precision", "recall": "recall",
           "log_prob": "log p(z), nats", "seconds": "seconds"}


@dataclasses.dataclass(frozen=True)
class PriorsBenchmark(Checked):
    """What to measure.

    Attributes:
        data: mnist.
        seeds: Seeds of the runs, each trained anew.
        longer: Factor of the training steps of the longer autoencoder.
        data_dir: Where the data lie; $LEBM_DATA_DIR if not given.
        workdir: Where the runs are kept.
    """
    data: Annotated[str, OneOf(DATA)] = "mnist"
    seeds: tuple[int, ...] = (1, 2, 3)
    longer: PositiveFloat = 1.5
    data_dir: str = ""
    workdir: str = "runs/benchmark_priors"


class Measure:
    """Distances of sets of images to the held-out images of a data set."""

    def __init__(self, model, data, config: PriorsBenchmark):
        self.model, self.data = model, data
        self.extract = features.load(
            "classifier", data, classifier_path=os.path.join(
                config.workdir, f"{config.data}_classifier.npz"))
        self.reference = self.extract(data.x_test)

    def of_codes(self, z: np.ndarray) -> dict[str, float]:
        """Metrics of the images of codes, [num, latent_dim]."""
        return self.of_images(np.concatenate([
            np.asarray(self.model.likelihood.mean(z[i:i + _ROWS]))
            for i in range(0, len(z), _ROWS)]))

    def of_images(self, x: np.ndarray) -> dict[str, float]:
        """Metrics of images, [num, height, width, channels]."""
        values = self.extract(x)
        precision, recall = precision_recall(
            values[:_COMPARED], self.reference[:_COMPARED])
        return {"frechet": frechet_distance(values, self.reference),
                "precision": precision, "recall": recall}


def of_autoencoder(workdir: str, seed: int, config: PriorsBenchmark,
                   name: str) -> dict[str, dict]:
    """Rows of mixtures on the codes of an autoencoder."""
    model, resolved = load(workdir), workdirs.read(workdir)
    data = workdirs.load_data(resolved.run)
    trained = runs.metrics_of(workdir)["training/seconds"]
    codes = codes_of(model, data)
    held_out = np.concatenate([
        model.infer(data.to_model(data.x_test[i:i + _ROWS]), seed)
        for i in range(0, len(data.x_test), _ROWS)])
    measure = Measure(model, data, config)
    rows = {f"{name}: decoded codes": {
        **measure.of_codes(codes[:SAMPLES]), "seconds": trained}}
    if name == "autoencoder":
        rows["training images"] = measure.of_images(data.x_train[:SAMPLES])
    for count in COMPONENTS:
        started = time.monotonic()
        density = GaussianMixture(codes.shape[1], count, FLOOR)
        density.fit(codes[:FITTED], seed, 0)
        seconds = time.monotonic() - started
        rows[f"{name}, {count} Gaussians"] = {
            **measure.of_codes(density.sample(SAMPLES, rng.make_seed(7))),
            "log_prob": float(np.mean(density.log_prob(held_out))),
            "seconds": trained + seconds}
    return rows


def of_seed(seed: int, config: PriorsBenchmark) -> dict[str, dict]:
    """All rows of one seed."""
    where = os.path.join(config.workdir, config.data)
    flags = (f"--seed={seed}",)
    learned = os.path.join(where, f"learned_{seed}")
    metrics = runs.trained(
        learned, f"--flagfile=configs/{config.data}.cfg", *flags,
        "--evaluators=codes", data_dir=config.data_dir)
    backbone = os.path.join(learned, "backbone")
    steps = workdirs.read(backbone).run.train_steps
    longer = os.path.join(where, f"longer_{seed}")
    runs.trained(longer, f"--flagfile=configs/{config.data}_rae.cfg", *flags,
                 f"--train_steps={int(config.longer * steps)}",
                 "--evaluators=reconstruction", data_dir=config.data_dir)
    model = load(learned)
    data = workdirs.load_data(workdirs.read(learned).run)
    measure = Measure(model, data, config)
    seconds = metrics["training/seconds"] + metrics[
        "backbone/training/seconds"]
    rows = {
        "learned prior": {
            **measure.of_codes(model.sample(SAMPLES, seed=7).z),
            "log_prob": metrics["codes/log_prob_prior"], "seconds": seconds},
        "its base": {
            **measure.of_codes(model.sample(SAMPLES, seed=7, num_steps=0).z),
            "log_prob": metrics["codes/log_prob_base"]}}
    return {**rows, **of_autoencoder(backbone, seed, config, "autoencoder"),
            **of_autoencoder(longer, seed, config, "longer autoencoder")}


def table(results: dict) -> str:
    """The results as Markdown: a table a data set, means over seeds."""
    lines = []
    for data, seeds in results["data"].items():
        lines += [f"**{data}**, {len(seeds)} seeds", "",
                  "| | " + " | ".join(COLUMNS.values()) + " |",
                  "|---" * (len(COLUMNS) + 1) + "|"]
        for name in next(iter(seeds.values())):
            cells = [_cell([rows[name][column] for rows in seeds.values()
                            if column in rows[name]],
                           0 if column == "seconds" else 2)
                     for column in COLUMNS]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _cell(values, digits):
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.{digits}f}" if (
        len(values) > 1) else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


def main(values) -> None:
    """Measures what is left, and writes the table after every seed."""
    config = fields.from_flags(PriorsBenchmark, values)
    results = runs.begun("priors", "data")
    for seed in config.seeds:
        found = results["data"].setdefault(config.data, {})
        if str(seed) not in found:
            found[str(seed)] = of_seed(seed, config)
            runs.write("priors", results, table(results))
    command.say(table(results))


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(PriorsBenchmark)))
