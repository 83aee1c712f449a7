"""Do chains mix over a flow? Sixteen known modes, and digits.

    python -m benchmarks.transport [--workdir=runs/neural_transport_digits]

Trains configs/neural_transport_digits.cfg, its flow first, if that is not
done, and fills in results/transport.json, .md and two figures: sixteen chains
of latents and of data side by side, and R-hat against moves.
"""

import dataclasses
import os
import sys
import time
from typing import Annotated

import matplotlib
import numpy as np
import tensorflow as tf

from benchmarks import runs, transport_modes
from lebm_tf import files
from lebm_tf.configuration import command, fields
from lebm_tf.densities.gaussian import log_normal
from lebm_tf.evaluation.images import classifier
from lebm_tf.evaluation.images.frechet import frechet_distance
from lebm_tf.mcmc import (
    Alternating, CrankNicolson, Hmc, rank_r_hat, rng, split_r_hat, trace_chain,
    tune)
from lebm_tf.ranges import Checked, MinLen, PositiveInt
from lebm_tf.training import loading, workdir as workdirs

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

FLAGFILE = "configs/neural_transport_digits.cfg"
_CHAINS, _BURN_IN, _THIN, _CUT, _ROWS = 16, 200, 40, 500, 2000


@dataclasses.dataclass(frozen=True)
class TransportBenchmark(Checked):
    """What to measure.

    Attributes:
        parts: modes, digits.
        workdir: Of the run on digits.
        num_steps: Moves of its chains, at least 1000.
        results: Folder of the results.
    """
    parts: Annotated[tuple[str, ...], MinLen(1)] = ("modes", "digits")
    workdir: str = "runs/neural_transport_digits"
    num_steps: PositiveInt = 2000
    results: str = runs.RESULTS


def modes() -> list[dict]:
    """The table of sixteen known modes."""
    rows = []
    for chains in transport_modes.SAMPLERS:
        found = transport_modes.outcome(*transport_modes.run(chains))
        rows.append({"sampler": chains.name, **found._asdict(),
                     "weights": found.weights.tolist()})
    return rows


def digits(config: TransportBenchmark) -> dict:
    """Chains of latents and of data under the same energy."""
    resolved = workdirs.read(config.workdir)
    model = loading.load(config.workdir)
    data = workdirs.load_data(resolved.run)
    path = os.path.join(config.workdir, "features_classifier.npz")
    network = classifier.trained(data, 1000, path)
    features, accuracy = classifier.load(data, 1000, path)
    metrics = files.read_json(os.path.join(config.workdir, "metrics.json"))
    found = {"accuracy_of_classifier": accuracy, "bits": {
        name: value for name, value in metrics.items()
        if name.startswith("bits/")}}
    real = np.asarray(features(tf.constant(data.to_model(data.x_test))))

    def frechet(x):
        return frechet_distance(real, np.asarray(features(tf.constant(x))))
    drawn = _q(model, 720)
    found["frechet_q"] = frechet(drawn)
    found["weights_q"] = _weights(_probabilities(network, drawn))
    found["weights_data"] = _weights(np.eye(10)[data.y_train])
    found["frechet_real"] = frechet(np.asarray(data.to_model(
        data.x_train[:720])))
    pictures = {}
    for space in ("latent", "data"):
        started = time.monotonic()
        x, accepted, size = _chains(model, data, space, config.num_steps)
        pictures[space] = x
        found[space] = {
            "seconds": time.monotonic() - started, "step_size": size,
            **_diagnosed(network, x, accepted, frechet)}
    figures(pictures, found, config.results)
    return found


def _chains(model, data, space, num_steps):
    """(pictures [records, chains, ...], acceptance, step size)."""
    transport, seed = model.likelihood, rng.make_seed(3)
    if space == "latent":
        target, start = model.prior.unnormalized_log_prob, (
            model.prior.base.sample(_CHAINS, seed))
    else:
        def target(y):
            z, growth = transport.network.inverse(y)
            x = transport.forward(z)[0]
            return log_normal(z) + growth - model.prior.energy_network.network(
                x)
        start = transport.network(transport.inverse(tf.constant(
            data.to_model(data.x_train[:_CHAINS])), seed))[0]

    def kernel(size):
        hmc = Hmc(size, 5)
        return hmc if space == "data" else Alternating(
            hmc, CrankNicolson(0.3), 5)

    @tf.function(autograph=False)
    def run(start):
        tuned = tune(Hmc(0.05, 5), target, start, 100, seed)
        _, records = trace_chain(
            kernel(0.05), target, tuned.position, num_steps,
            rng.stream(seed, space), lambda state: (
                state.position, state.accept_prob),
            step_size=tuned.step_size)
        return records, tuned.step_size
    (states, accepted), size = run(start)
    flat = tf.reshape(states, [-1, states.shape[-1]])
    if space == "data":
        flat = tf.concat([transport.network.inverse(flat[i:i + _ROWS])[0]
                          for i in range(0, len(flat), _ROWS)], 0)
    x = np.concatenate([np.asarray(transport.mean(flat[i:i + _ROWS]))
                        for i in range(0, len(flat), _ROWS)])
    return (x.reshape(*states.shape[:2], *transport.shape),
            np.asarray(accepted)[1:], float(size))


def _q(model, num):
    z = model.prior.base.sample(num, rng.make_seed(5))
    return np.asarray(model.likelihood.mean(z))


def _probabilities(network, x):
    flat = x.reshape(-1, *x.shape[-3:])
    logits = network.predict(flat, batch_size=500, verbose=0)
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def _weights(probabilities):
    label = probabilities.argmax(-1).ravel()
    return (np.bincount(label, minlength=10) / len(label)).tolist()


def _diagnosed(network, x, accepted, frechet):
    probabilities = _probabilities(network, x).reshape(*x.shape[:2], 10)
    label = probabilities.argmax(-1)
    moved = [column for column in range(10)
             if np.ptp(probabilities[..., column]) > 1e-3]
    late = probabilities[_BURN_IN:][..., moved]
    curve = {int(cut): float(np.nanmax(split_r_hat(
        probabilities[:cut + 1][..., moved].astype(np.float64))))
        for cut in np.unique(np.geomspace(50, len(x) - 1, 20).astype(int))}
    return {
        "accept_prob": float(accepted.mean()),
        "class_changes_in_500_moves": float(np.mean(
            label[1:] != label[:-1]) * _CUT),
        "r_hat": float(np.nanmax(split_r_hat(late.astype(np.float64)))),
        "rank_r_hat": float(np.nanmax(rank_r_hat(late.astype(np.float64)))),
        "weights": _weights(probabilities[_BURN_IN:]),
        "frechet": frechet(x[_BURN_IN::_THIN].reshape(-1, *x.shape[2:])),
        "curve": curve}


def figures(pictures: dict, found: dict, folder: str) -> None:
    """Draws the chains side by side, and R-hat against moves."""
    where = os.path.join(folder, "transport")
    os.makedirs(where, exist_ok=True)
    for space, x in pictures.items():
        records = np.linspace(0, len(x) - 1, 25).astype(int)
        rows = x[records].swapaxes(0, 1)[..., 0]
        grid = np.pad(rows, [(0, 0), (0, 0), (1, 1), (1, 1)],
                      constant_values=1.0)
        grid = grid.swapaxes(1, 2).reshape(
            grid.shape[0] * grid.shape[2], -1)
        plt.imsave(os.path.join(where, f"chains_{space}.png"),
                   grid.repeat(3, 0).repeat(3, 1), cmap="gray", vmin=-1,
                   vmax=1)
    figure, axes = plt.subplots(figsize=(5, 3))
    for space in ("latent", "data"):
        curve = found[space]["curve"]
        axes.loglog(list(curve), list(curve.values()), label=f"{space} space")
    axes.axhline(1.1, color="gray", linewidth=0.5)
    axes.set(xlabel="moves", ylabel="largest split R-hat of class "
             "probabilities")
    axes.legend()
    figure.tight_layout()
    figure.savefig(os.path.join(where, "r_hat.png"), dpi=100)
    plt.close(figure)


def table(results: dict) -> str:
    """Both tables, as Markdown."""
    lines = ["| sixteen modes | acceptance | split R-hat | rank R-hat | "
             "weights (true .40 .10 .20 .30) | changes a move | modes visited "
             "|", "|---|---|---|---|---|---|---|"]
    for row in results["modes"]:
        weights = " ".join(f"{w:.2f}" for w in row["weights"])
        lines.append(
            f"| {row['sampler']} | {row['accept_prob']:.2f} | "
            f"{row['r_hat']:.3f} | {row['rank_r_hat']:.3f} | {weights} | "
            f"{row['changes']:.3f} | {row['visited']:.1f} |")
    found = results.get("digits")
    if found:
        lines += ["", "| digits | Fréchet | class changes in 500 moves | split "
                  "R-hat | rank R-hat | acceptance | largest error of a class "
                  "weight |", "|---|---|---|---|---|---|---|"]
        truth = np.array(found["weights_data"])

        def error(weights):
            return np.abs(np.array(weights) - truth).max()
        lines.append(f"| q, the flow alone | {found['frechet_q']:.1f} | | | | "
                     f"| {error(found['weights_q']):.3f} |")
        for space in ("latent", "data"):
            row = found[space]
            lines.append(
                f"| p, chains in {space} space | {row['frechet']:.1f} | "
                f"{row['class_changes_in_500_moves']:.1f} | {row['r_hat']:.3f} "
                f"| {row['rank_r_hat']:.3f} | {row['accept_prob']:.2f} | "
                f"{error(row['weights']):.3f} |")
        lines.append(f"| training digits | {found['frechet_real']:.1f} | | | | "
                     "| |")
        bits = found["bits"]
        lines += ["", f"Bits per dimension of held-out digits: q "
                  f"{bits['bits/q']:.3f}, p {bits['bits/p']:.3f} to "
                  f"{bits['bits/p_high']:.3f} (log Z {bits['bits/log_z']:.2f} "
                  f"by annealing, {bits['bits/log_z_reverse']:.2f} back, "
                  f"{bits['bits/log_z_importance']:.2f} by "
                  "draws of q, worth "
                  f"{bits['bits/importance_effective_sample_size']:.0f})."]
    return "\n".join(lines) + "\n"


def main(values) -> None:
    """Measures and writes."""
    config = fields.from_flags(TransportBenchmark, values)
    results = runs.begun("transport", "digits")
    if "modes" in config.parts:
        results["modes"] = modes()
    if "digits" in config.parts:
        if not runs.is_trained(config.workdir):
            runs.call("lebm_tf.train", f"--flagfile={FLAGFILE}",
                      f"--workdir={config.workdir}")
        results["digits"] = digits(config)
    runs.write("transport", results, table(results), config.results)


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(TransportBenchmark)))
