"""Summary that the train command prints at its end."""

import shlex
from typing import Sequence

from lebm_tf.configuration.run import RunConfig
from lebm_tf.kinds import IMAGE, PAIR, SEQUENCE, TRAJECTORY
from lebm_tf.training import workdir as workdirs


def text(run: RunConfig, metrics: dict, modules: Sequence[str] = ()) -> str:
    """Main metrics and suggested next commands.

    Args:
        run: The run.
        metrics: Contents of its metrics.json.
        modules: Plugins to name in the commands.
    """
    lines = [(f"{label} ({name})", metrics[name]) for label, name in (
        ("Frechet distance, samples", "frechet/samples"),
        ("  same generator, base p0 alone", "frechet/base_samples"),
        ("  baseline", "baseline/frechet/samples"),
        ("  backbone with its own prior", "backbone/frechet/samples"),
        ("  real training images", "frechet/real"),
        ("Mean squared error of reconstructions", "reconstruction/mse"),
        ("Area under the precision-recall curve", "anomaly/auprc"),
        ("Accuracy of held-out symbols", "symbols/accuracy"),
        ("Rollbacks after divergence", "training/rollbacks"),
        ("Seconds of training", "training/seconds"),
        ("  backbone, before them", "backbone/training/seconds"),
        ("  baseline", "baseline/training/seconds"),
        ("Nats of a reconstructed sequence", "sequences/reconstruction_nll"),
        ("  perplexity of a token", "sequences/reconstruction_perplexity"),
        ("Mean error, the authors' protocol (nearest_plan)",
         "trajectories/nearest_plan_ade"),
        ("  last error", "trajectories/nearest_plan_fde"),
        ("Mean error, least of all paths (minimum)",
         "trajectories/minimum_ade"),
        ("  last error", "trajectories/minimum_fde"),
        ("  mean error of constant velocity, least of as many",
         "trajectories/constant_velocity/minimum_ade"),
        *((f"{what}, {direction[0]} to {direction[1]}",
           f"translation/{direction}/{name}") for direction in ("ab", "ba")
          for what, name in (
              ("Accuracy of translations", "accuracy"),
              ("  of pictures as they are", "accuracy_identity"),
              ("Signal to noise, dB", "psnr"),
              ("  of pictures as they are", "psnr_identity"))),
    ) if metrics.get(name)]
    width = max(len(label) for label, _ in lines) if lines else 0
    figures = "\n".join(f"  {label:<{width}}  {value:.4g}"
                        for label, value in lines)
    why = "".join(f"\n  {value}" for name, value in metrics.items()
                  if name.startswith("training/rollback_"))
    following = "\n".join(f"  {line}" for line in commands(run, modules))
    return f"""
{figures}{why}

All figures: {run.workdir}/metrics.json; pictures: {run.workdir}/pictures
Next:
{following}"""


def commands(run: RunConfig, modules: Sequence[str] = ()) -> list[str]:
    """Suggested next commands, one a line.

    Args:
        run: The run; its work directory holds its configuration.
        modules: Plugins to name in the commands.
    """
    named = f"--plugins={shlex.quote(','.join(modules))} " if modules else ""
    workdir = named + f"--workdir={shlex.quote(run.workdir)}"
    resolved = workdirs.read(run.workdir)
    ending = {SEQUENCE: "txt", IMAGE: "png", PAIR: "png"}.get(
        resolved.data.kind, "npz")
    measure = "likelihood"
    if resolved.data.kind == TRAJECTORY:
        measure = "trajectories --evaluation_trajectories_num_paths=50"
    elif resolved.data.kind == PAIR:
        measure = "translation --evaluation_translation_num_images=10000"
    elif resolved.model.is_classifier:
        measure = "symbols"
    lines = [f"python -m lebm_tf.evaluate {workdir} --evaluators={measure}"]
    if not resolved.model.is_classifier:
        lines += [f"python -m lebm_tf.sample {workdir} --num_samples=64 "
                  f"--seed=7 --output=samples.{ending}",
                  f"python -m lebm_tf.export {workdir} "
                  "--output=models/my_model"]
    return lines
