"""What benchmarks share: runs that are made once, and results that grow."""

import os
import platform
import re
import shlex
import subprocess
import sys
from typing import Any, Mapping

from lebm_tf import files, train
from lebm_tf.configuration import command
from lebm_tf.errors import InputError
from lebm_tf.training import workdir as workdirs

RESULTS = os.path.join(os.path.dirname(__file__), "results")


def call(module: str, *flags: str, data_dir: str = "") -> None:
    """Prints and runs a command of the library.

    Args:
        module: As lebm_tf.train.
        *flags: Of the command.
        data_dir: Where the data lie, if not in $LEBM_DATA_DIR.

    Raises:
        InputError: If it ends with an error.
    """
    if data_dir:
        flags = (*flags, f"--data_dir={data_dir}")
    command.say(f"python -m {module} " + shlex.join(flags))
    status = subprocess.call([sys.executable, "-m", module, *flags])
    if status:
        raise InputError(
            f"{module} must end well, got exit status {status} with "
            f"{shlex.join(flags)}.")


def metrics_of(workdir: str) -> dict[str, Any]:
    """What a run has measured so far."""
    path = os.path.join(workdir, "metrics.json")
    return files.read_json(path) if os.path.exists(path) else {}


def is_trained(workdir: str) -> bool:
    """Whether a run has ended."""
    return "training/seconds" in metrics_of(workdir)


def trained(workdir: str, *flags: str, data_dir: str = "") -> dict[str, Any]:
    """The metrics of a run, made, continued or found.

    Args:
        workdir: Where it is kept.
        *flags: Of lebm_tf.train, besides.
        data_dir: As of `call`.

    Raises:
        InputError: If training ends with an error, or the folder holds a run
            with other settings.
    """
    if not (is_trained(workdir) and _is_of(workdir, flags)):
        call("lebm_tf.train", *flags, f"--workdir={workdir}",
             data_dir=data_dir)
    return metrics_of(workdir)


def _is_of(workdir, flags):
    """Whether a run has made the steps of these flags."""
    run, model, settings = train.resolve(command.parse(
        train.all_fields(), ["", *flags, f"--workdir={workdir}"]))
    kept = workdirs.read(workdir)
    workdirs.check(workdir, workdirs.Run(
        run, model, kept.data, settings, kept.networks))
    return kept.run.train_steps >= run.train_steps


def folder_of(name: str) -> str:
    """The name of a system as that of a folder."""
    return "".join(c if c.isalnum() else "_" for c in name)


def begun(name: str, *parts: str) -> dict[str, Any]:
    """What results/NAME.json holds, or nothing yet, and this machine.

    Args:
        name: Of the benchmark.
        *parts: Keys of what it fills in, each a dict.
    """
    path = os.path.join(RESULTS, f"{name}.json")
    kept = files.read_json(path) if os.path.exists(path) else {}
    return {**{part: {} for part in parts}, **kept,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "python": platform.python_version()}


def commands(results: Mapping[str, Any]) -> list[str]:
    """The commands that made results, and this one.

    Args:
        results: Those so far, whose "commands" come first.

    Returns:
        Each command once; folders of this machine are called DIR.
    """
    this = "python " + shlex.join(
        re.sub("=/.*", "=DIR", word) for word in sys.orig_argv[1:])
    return list(dict.fromkeys([*results.get("commands", []), this]))


def write(name: str, results: Mapping[str, Any], table: str,
          folder: str = RESULTS) -> None:
    """Writes NAME.json and NAME.md, each whole or not at all.

    Args:
        name: Of the benchmark.
        results: What it measured; "commands" are added, as of `commands`.
        table: Made of the results alone.
        folder: Where.
    """
    files.write_json(os.path.join(folder, f"{name}.json"),
                     {**results, "commands": commands(results)})
    with files.atomic_path(os.path.join(folder, f"{name}.md")) as path:
        with open(path, "w", encoding="utf-8") as file:
            file.write(table)
