"""Runs long, exact chains of a trained prior or posterior, and diagnoses them.

    python -m lebm_tf.mcmc --workdir=DIR --kernel=hmc --num_chains=16 \\
        --num_steps=2000 [--example=3]

If killed and started again, it resumes bit for bit. Chains are written to
chains.nc, an ArviZ InferenceData file (netCDF); diagnostics.json has R-hat and
effective sample sizes. R-hat cannot detect a biased kernel or a mode that no
chain visits. Therefore the weights of classes, or of thirds of the energy, are
printed with an importance sampling reference.
"""

import dataclasses
import os
import sys
from typing import Annotated

from lebm_tf.configuration import startup

startup.begin("mcmc", __name__, __doc__)

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from lebm_tf import files  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.configuration.source import SourceConfig  # noqa: E402
from lebm_tf.densities import Target  # noqa: E402
from lebm_tf.errors import InputError  # noqa: E402
from lebm_tf.evaluation.images import classifier  # noqa: E402
from lebm_tf.evaluation.latents import chain_file, long_chains  # noqa: E402
from lebm_tf.kinds import IMAGE  # noqa: E402
from lebm_tf.mcmc import Independence, rng  # noqa: E402
from lebm_tf.ranges import (  # noqa: E402
    Ge, NonNegativeInt, OneOf, PositiveFloat, PositiveInt)
from lebm_tf.samplers import Draws  # noqa: E402
from lebm_tf.training import (  # noqa: E402
    loading, plugins, weights, workdir as workdirs)

_REFERENCE = 5_000
_ROWS = 1_000


@dataclasses.dataclass(frozen=True)
class LongChainsConfig(SourceConfig):
    """Settings of long chains.

    Attributes:
        output: Folder of the chains, needed for a published model; default:
            WORKDIR/chains_KERNEL.
        kernel: hmc, mala, nuts, pcn, independence (proposals from the base of
            the prior), tempering (parallel tempering with hmc), or langevin,
            which is biased.
        num_chains: Number of chains.
        num_steps: Steps per chain, a multiple of part_steps.
        part_steps: Steps per part; complete parts are saved.
        thin: Steps between two recorded states, a divisor of part_steps.
        step_size: Initial step size.
        num_leapfrog_steps: Leapfrog steps per move of hmc and tempering.
        num_adaptation_steps: Steps before the recorded chains that tune the
            step size; 0 keeps step_size.
        example: Index of the held-out example whose posterior is sampled; -1
            samples the prior.
        seed: Any integer; the same seed gives the same chains.
        data_dir: Folder of the data sets; default: that of the training.
    """
    output: str = ""
    kernel: Annotated[str, OneOf(long_chains.KERNELS)] = "hmc"
    num_chains: Annotated[int, Ge(2)] = 16
    num_steps: PositiveInt = 2_000
    part_steps: PositiveInt = 500
    thin: PositiveInt = 1
    step_size: PositiveFloat = 0.1
    num_leapfrog_steps: PositiveInt = 5
    num_adaptation_steps: NonNegativeInt = 0
    example: Annotated[int, Ge(-1)] = -1
    seed: int = 0
    data_dir: str = ""

    def validate(self):
        if self.kernel in ("langevin", "independence"):
            self.leave_out("num_adaptation_steps", reason=(
                f"with kernel={self.kernel}, which has nothing to tune"))

    def plan(self) -> long_chains.Plan:
        """The plan for `long_chains.run`."""
        kernel = long_chains.KERNELS[self.kernel](
            self.step_size, self.num_leapfrog_steps)
        return long_chains.Plan(
            kernel, self.num_chains, self.num_steps, self.thin,
            self.part_steps, self.num_adaptation_steps, self.seed)


def main(values) -> None:
    """Runs the chains, writes them and prints diagnostics."""
    config = loading.located(fields.from_flags(LongChainsConfig, values))
    loading.check_output(config)
    try:
        plan = config.plan()
    except ValueError as error:
        raise InputError(str(error)) from error
    resolved = workdirs.read(config.workdir)
    loading.check_generates(config.workdir, resolved)
    model = loading.load(config.workdir, config.checkpoint)
    data = workdirs.load_data(
        workdirs.moved(resolved.run, config.data_dir), resolved.data)
    role, batch = _asked(model, data, config)
    seed = rng.stream(rng.make_seed(config.seed), "long_chains")
    target = model.target(role, batch)
    if not isinstance(target, Target):
        raise InputError("long chains need a single target, such as an "
                         "energy-based prior, got a ladder of targets.")
    start = model.roles[role].sampler.start(
        config.num_chains, Draws(batch), seed)
    base = _base(model)
    if isinstance(plan.kernel, Independence) and base is not None:
        plan = dataclasses.replace(plan, kernel=Independence(base))
    folder = config.output or os.path.join(
        config.workdir, f"chains_{config.kernel}")
    identity = {name: value for name, value in vars(config).items()
                if name not in ("workdir", "model", "sha256", "output",
                                "data_dir", "num_steps")}
    identity |= {"family": resolved.run.family, "step": int(model.step)}
    records = long_chains.run(plan, target, start, model.energy, folder,
                              identity)
    _report(config, model, data, records, folder, identity)


def _asked(model, data, config):
    """The role whose target is sampled, and its batch."""
    if model.context is not None:
        raise InputError("long chains do not support conditional models, got "
                         "one of trajectories.")
    role = "generation" if config.example < 0 else "inference"
    if role not in model.roles or not model.roles[role].sampler.climbs:
        raise InputError(f"long chains need a model whose {role} runs chains, "
                         "got one without.")
    if config.example < 0:
        return role, {}
    if config.example >= len(data.x_test):
        raise InputError(f"--example must be below {len(data.x_test)}, the "
                         f"number of held-out examples, got {config.example}.")
    x = model.likelihood.read(data.to_model(
        data.x_test[config.example:config.example + 1]))
    return role, {"x": tf.repeat(x, config.num_chains, 0)}


def _report(config, model, data, records, folder, identity):
    groups, said = _groups(
        config, model, data, records,
        folder if weights.are_in(config.workdir) else config.workdir)
    values = {"log_prob": records.log_prob, **(
        {"energy": records.energy} if model.has_energy else {})}
    for group in range(len(groups["weights"])):
        indicator = (groups["of_records"] == group).astype(float)
        if np.ptp(indicator):  # A constant has no R-hat.
            values[f"{groups['name']}_{group}"] = indicator
    diagnostics = chain_file.diagnosed(values)
    path, missing = chain_file.write(
        os.path.join(folder, "chains"), records, {
            groups["name"]: groups["of_records"].astype(np.int32)}, {
                name: str(value) for name, value in identity.items()})
    moves = config.num_chains * config.num_steps
    least = min(row["bulk_ess"] for row in diagnostics.values())
    gradients = {"hmc": config.num_leapfrog_steps, "mala": 1, "langevin": 1,
                 "pcn": 0, "independence": 0}.get(config.kernel)
    result = {
        "num_records": len(records.log_prob), "seconds": records.seconds,
        "step_size": records.step_size,
        "accept_prob": float(records.accept_prob.mean()),
        "latents_largest_r_hat": chain_file.largest_r_hat(records.position),
        "least_bulk_ess_a_second": least / records.seconds,
        "least_bulk_ess_a_gradient": least / (moves * gradients)
        if gradients else None,
        "swap_rates": records.swap_rates.tolist(), "values": diagnostics,
        "groups": groups["name"], "weights": groups["weights"],
        "reference_weights": groups["reference"],
        "reference_effective_sample_size": groups["worth"],
        "autocorrelation_of_log_prob": chain_file.autocorrelation(
            records.log_prob, min(200, len(records.log_prob) - 1)).tolist()}
    files.write_json(os.path.join(folder, "diagnostics.json"), result)
    lines = [f"{name}: rank R-hat {row['r_hat']:.3f}, bulk ESS "
             f"{row['bulk_ess']:.0f}, tail ESS {row['tail_ess']:.0f}"
             for name, row in diagnostics.items()]
    swapped = " ".join(f"{rate:.2f}" for rate in records.swap_rates.ravel())
    lines += [f"accepted {result['accept_prob']:.2f}"
              + ("" if records.step_size is None else
                 f", step size {records.step_size:.3g}")
              + (f", swapped {swapped}" if swapped else "")] + said
    command.say("\n".join([*lines, *([missing] if missing else []), (
        f"Wrote {path} and diagnostics.json.")]))


def _groups(config, model, data, records, folder):
    """Weights of groups in the chains and in a reference, and lines to print.

    The groups are classes if there are labels, else thirds of the energy; their
    classifier is kept in `folder`.
    """
    shown = records.position[0].shape[:2]
    like = model.generation.latents()

    def pictures(leaves):
        z = tf.nest.pack_sequence_as(like, [tf.constant(x) for x in leaves])
        return model.decode(z, config.seed)
    reference = _reference(config, model)
    has_classes = data.kind == IMAGE and data.y_train is not None and (
        model.likelihood is not None)
    if has_classes:
        network = classifier.trained(data, 1000, os.path.join(
            folder, "features_classifier.npz"))

        def group(leaves, energies):
            return np.concatenate([classifier.predicted(network, pictures(
                [leaf[i:i + _ROWS] for leaf in leaves]))
                for i in range(0, len(leaves[0]), _ROWS)])
        count, name = data.num_classes, "class"
    else:
        levels = np.quantile(
            records.energy if reference is None else reference[1], (1/3, 2/3))

        def group(leaves, energies):
            return np.digitize(energies, levels)
        count, name = 3, "third_of_energy"
    flat = [leaf.reshape(-1, *leaf.shape[2:]) for leaf in records.position]
    of_records = group(flat, records.energy.ravel())
    weights = np.bincount(of_records, minlength=count) / of_records.size
    found = {"name": name, "of_records": of_records.reshape(shown),
             "weights": weights.tolist(), "reference": None, "worth": None}
    said = [f"weights of each {name}: " + " ".join(
        f"{weight:.3f}" for weight in weights)]
    if reference is not None:
        leaves, energies = reference
        expected, worth = chain_file.reference(
            energies, group(leaves, energies), count)
        found |= {"reference": expected.tolist(), "worth": worth}
        said.append(
            "  by importance sampling: " + " ".join(
                f"{weight:.3f}" for weight in expected)
            + f" ({_REFERENCE} draws of the base, effective sample size "
              f"{worth:.0f}"
            + (": too few to trust)" if worth < 50 else ")"))
    return found, said


def _base(model):
    """The base of the prior; None if it has none that can be sampled."""
    prior = model.roles["generation"].prior or model.prior
    base = getattr(prior, "base", None)
    return base if hasattr(base, "sample") else None


def _reference(config, model):
    """(leaves, energies) of draws of the base; None if there is no base to draw
    from."""
    base = _base(model)
    if config.example >= 0 or not model.has_energy or base is None:
        return None
    z = base.sample(_REFERENCE, rng.stream(
        rng.make_seed(config.seed), "reference"))
    leaves = tf.nest.flatten(z)
    energies = np.concatenate([np.asarray(model.energy(
        tf.nest.pack_sequence_as(z, [leaf[i:i + _ROWS] for leaf in leaves])))
        for i in range(0, _REFERENCE, _ROWS)])
    return [leaf.numpy() for leaf in leaves], energies


if __name__ == "__main__":
    sys.exit(command.run(
        main, __doc__, fields.fields(LongChainsConfig),
        load_plugins=plugins.load))
