"""Command line: `lebm COMMAND ...` or `python -m lebm_tf COMMAND ...`.

    train     trains and evaluates a model
    evaluate  evaluates a trained model
    sample    draws samples from a trained model
    report    writes an HTML page about one or more runs
    export    writes a SavedModel for serving
    publish   packs a trained model to share it
    shift     shifts a trained model to higher values of a property
    mcmc      runs long, exact chains of a trained model

`lebm COMMAND --help` lists the flags of a command.
"""

import runpy
import sys

from lebm_tf import errors

COMMANDS = {
    **{name: f"lebm_tf.{name}" for name in (
        "train", "evaluate", "sample", "report", "export", "publish",
        "shift")},
    "mcmc": "lebm_tf.long_chains"}


def main() -> int:
    """Runs the command that the first argument names; returns the exit code.
    """
    command, *arguments = sys.argv[1:] or ["--help"]
    if command in ("--help", "-h", "help"):
        sys.stdout.write(__doc__)
        return 0
    if command not in COMMANDS:
        sys.stderr.write(
            f"error: the command must be one of {', '.join(COMMANDS)}, got "
            f"{command!r}{errors.nearest(command, COMMANDS)}.\n")
        return 2
    sys.argv = [f"lebm {command}", *arguments]
    runpy.run_module(COMMANDS[command], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
