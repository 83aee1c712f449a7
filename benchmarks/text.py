"""Text: a learned prior against p0 under the same decoder, and a VAE.

    python -m benchmarks.text [--setting=ptb_1000] [--data_dir=DIR]
        [--workdir=DIR] [--seeds=1,2] [--train_steps=N] ...

Trains on the Penn Treebank, whole (`SETTINGS`) or cut down, with the energy and
without, and measures both: reconstruction, importance-sampled likelihood,
codes, forward and reverse perplexity by language models that are the same for
all rows. Every step is a command, printed as it starts; what was stopped goes
on, what has ended is not made again. Writes, after each step,
benchmarks/results/SETTING.json and .md, and copies what the learned prior says
into benchmarks/results/SETTING.
"""

import dataclasses
import os
import shutil
import statistics
import sys
from typing import Annotated

from benchmarks import runs
from lebm_tf import files
from lebm_tf.configuration import command, fields
from lebm_tf.evaluation.text.language_model import LanguageModelConfig
from lebm_tf.ranges import Checked, NonNegativeInt, OneOf

SETTINGS = {"ptb": "configs/sequence_ptb_small.cfg",
            "ptb_1000": "configs/sequence_ptb_1000.cfg"}
# With free bits of every dimension, as published. With the weight of the
# learned prior, its decoder would be that of "same decoder, p0".
SYSTEMS = {"learned prior": (), "VAE": (
    "--learned_prior=false", "--kl_weight=1", "--free_bits=0.5")}
# Evaluator -> a metric that it alone yields, last.
EVALUATORS = {"sequences": "sequences/num_samples",
              "latents": "latents/num_draws",
              "sentences": "sentences/interpolation",
              "likelihood": "likelihood/num_examples",
              "perplexity": "perplexity/hidden_dim"}
# Row -> (system, name of its samples).
ROWS = {"learned prior": ("learned prior", "samples"),
        "same decoder, p0": ("learned prior", "base_samples"),
        "VAE": ("VAE", "samples")}
# Penn Treebank: forward, reverse, reconstruction. Pang et al. 2020,
# arXiv:2006.08205, with their own language model.
PUBLISHED = {"published: real sentences": ("100.36", "", ""),
             "published: SA-VAE": ("147.92", "210.02", "101.28"),
             "published: FB-VAE": ("145.32", "204.11", "92.89"),
             "published: learned prior": ("107.45", "181.54", "91.35")}


@dataclasses.dataclass(frozen=True)
class TextBenchmark(Checked):
    """What to measure.

    Attributes:
        setting: ptb, or ptb_1000: 1,000 words, up to 20 tokens.
        systems: learned prior, VAE; both if empty.
        seeds: Seeds of the runs.
        train_steps: Steps of each run; 0 takes those of the flagfile, and a
            run that has made others goes on to these.
        data_dir: Where the data lie; $LEBM_DATA_DIR if not given.
        workdir: Where the runs are kept.
        perplexity_samples: Sentences of each row; 0 takes as many as there
            are training sentences.
        likelihood_examples: Test sentences whose likelihood is estimated.
        importance_samples: Draws of the encoder for each of them.
        language_model: The language models.
    """
    setting: Annotated[str, OneOf(SETTINGS)] = "ptb"
    systems: tuple[Annotated[str, OneOf(SYSTEMS)], ...] = ()
    seeds: tuple[int, ...] = (1,)
    train_steps: NonNegativeInt = 0
    data_dir: str = ""
    workdir: str = "runs/benchmark_text"
    perplexity_samples: int = 0
    likelihood_examples: int = 500
    importance_samples: int = 200
    language_model: LanguageModelConfig = LanguageModelConfig(
        embedding_dim=128, hidden_dim=128, dropout=0.2, learning_rate=3e-3,
        batch_size=64, max_epochs=3, patience=1)


def evaluation_flags(chosen: TextBenchmark) -> list[str]:
    """How much to measure, as flags of `lebm_tf.evaluate`."""
    return [
        f"--evaluation_perplexity_num_samples={chosen.perplexity_samples}",
        f"--evaluation_likelihood_num_examples={chosen.likelihood_examples}",
        "--evaluation_likelihood_num_importance_samples="
        f"{chosen.importance_samples}",
        "--evaluation_likelihood_proposal=encoder",
        "--evaluation_perplexity_language_model_dir="
        + os.path.join(chosen.workdir, chosen.setting, "language_models"),
        *(f"--evaluation_perplexity_language_model_{name}={value}"
          for name, value in dataclasses.asdict(
              chosen.language_model).items())]


def measure(system: str, seed: int, chosen: TextBenchmark) -> None:
    """Makes what is left of a run, and yields its metrics as they grow.

    Yields:
        All metrics of the run so far.

    Raises:
        InputError: If a command ends with an error.
    """
    workdir = os.path.join(chosen.workdir, chosen.setting,
                           f"{runs.folder_of(system)}_{seed}")
    path = os.path.join(workdir, "metrics.json")
    steps = chosen.train_steps
    yield runs.trained(
        workdir, f"--flagfile={SETTINGS[chosen.setting]}", *SYSTEMS[system],
        f"--seed={seed}", *([f"--train_steps={steps}"] if steps else []),
        data_dir=chosen.data_dir)
    for name, last in EVALUATORS.items():
        if last not in files.read_json(path):
            runs.call("lebm_tf.evaluate", f"--workdir={workdir}",
                      f"--evaluators={name}", *evaluation_flags(chosen),
                      data_dir=chosen.data_dir)
        yield files.read_json(path)
    shown = os.path.join(runs.RESULTS, chosen.setting)
    if system == "learned prior" and seed == chosen.seeds[0]:
        os.makedirs(shown, exist_ok=True)
        for name in ("transition.txt", "interpolation.txt", "sequences.txt"):
            shutil.copyfile(os.path.join(workdir, "pictures", name),
                            os.path.join(shown, name))


def table(results: dict) -> str:
    """Markdown: means over seeds; a cell stays empty until it is measured."""
    lines = ["| | forward perplexity | reverse perplexity | reconstruction, "
             "nats a sentence | -log p(x), nats a sentence | its perplexity |",
             "|---|---|---|---|---|---|"]
    found = results["runs"]

    def cell(system, key, form="{:.2f}"):
        values = [metrics[key] for metrics in found.get(system, {}).values()
                  if key in metrics]
        text = form.format(statistics.mean(values)) if values else ""
        return text + (" (" + ", ".join(map(form.format, values)) + ")"
                       if len(values) > 1 else "")
    real = next((cell(system, "perplexity/real") for system in found
                 if cell(system, "perplexity/real")), "")
    lines.append(f"| real test sentences | {real} | | | | |")
    for row, (system, samples) in ROWS.items():
        cells = [cell(system, f"perplexity/{way}_{samples}")
                 for way in ("forward", "reverse")]
        # The last three are of the model, which is what its prior makes it.
        cells += [cell(system, key) if samples == "samples" else "" for key in
                  ("sequences/reconstruction_nll", "likelihood/nll",
                   "likelihood/perplexity")]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    published = PUBLISHED if results["settings"]["setting"] == "ptb" else {}
    for row, cells in published.items():
        lines.append(f"| {row} | " + " | ".join(cells) + " | | |")
    lines += ["", "| | active units | KL(q(z given x), N(0, I)) | mutual "
              "information | KL(q(z), N(0, I)) | steps | minutes |",
              "|---|---|---|---|---|---|---|"]
    for system in found:
        seconds = [metrics["training/seconds"] / 60
                   for metrics in found[system].values()
                   if "training/seconds" in metrics]
        lines.append(f"| {system} | " + " | ".join([
            cell(system, "latents/active_units", "{:.0f}"),
            cell(system, "latents/kl"),
            cell(system, "latents/mutual_information"),
            cell(system, "latents/kl_of_all"),
            cell(system, "training/steps", "{:.0f}"),
            f"{statistics.mean(seconds):.0f}" if seconds else ""]) + " |")
    return "\n".join(lines) + "\n"


def main(values) -> None:
    """Measures what is left, and writes the table after every step."""
    chosen = fields.from_flags(TextBenchmark, values)
    results = runs.begun(chosen.setting, "runs")
    results["settings"] = fields.to_dict(chosen)
    del results["settings"]["data_dir"], results["settings"]["workdir"]
    for seed in chosen.seeds:
        for system in chosen.systems or SYSTEMS:
            for metrics in measure(system, seed, chosen):
                results["runs"].setdefault(system, {})[str(seed)] = metrics
                runs.write(chosen.setting, results, table(results))
    command.say(table(results))


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(TextBenchmark)))
