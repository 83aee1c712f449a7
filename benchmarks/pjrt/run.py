"""Steps a second of lowered training steps, beside PyTorch on the same device.

    python -m benchmarks.pjrt.run --programs=DIR --jax_python=PYTHON \\
        --peer_python=PYTHON --device=cuda

DIR is what `benchmarks.pjrt.lower` wrote. Needs no TensorFlow: any Python 3.11
or newer runs it, and starts a worker with jax and one with torch for each
side, which take turns. Writes DIR/pjrt.json and DIR/pjrt.md.
"""

import argparse
import json
import pathlib
import sys

from benchmarks.timing import machine, report
from benchmarks.timing.case import Case, Side
from benchmarks.timing.sides import Sides

ROOT = pathlib.Path(__file__).parents[2]
_VARIANTS = ("eager,channels_last,bfloat16,bfloat16+channels_last,"
             "bfloat16+compile,bfloat16+channels_last+compile")


def parse(argv):
    """The flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--jax_python", default=sys.executable)
    parser.add_argument("--peer_python", default="none",
                        help="a Python with torch; none leaves it out")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--torch", default=_VARIANTS)
    parser.add_argument("--size", type=int, default=8192,
                        help="of the matrices of the measured limit")
    for name, default in (("rounds", 7), ("threads", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in (("seconds", 120.0), ("round_seconds", 1.0),
                          ("pause", 0.3), ("give_up", 1.5),
                          ("timeout", 900.0)):
        parser.add_argument(f"--{name}", type=float, default=default)
    return parser.parse_args(argv)


def cases(chosen) -> list[Case]:
    """The limit in both precisions, and each setting that was lowered."""
    variants = [] if chosen.peer_python == "none" else chosen.torch.split(",")
    common = {"threads": chosen.threads, "device": chosen.device}
    found = []
    for precision in ("float32", "bfloat16"):
        task = {"kind": "product", "precision": precision,
                "size": chosen.size, **common}
        sides = [Side("jax", "pjrt", task)]
        sides += [Side("PyTorch", "peer", task)] * bool(variants)
        count = 2 * chosen.size**3
        found.append(Case(f"limit/{precision}", tuple(sides), count, count))
    lowered = {}
    for path in sorted(chosen.programs.glob("*/program.json")):
        program = json.loads(path.read_text(encoding="utf-8"))
        lowered.setdefault(path.parent.name.split("_")[0], []).append(
            (str(path.parent), program))
    if not lowered:
        raise SystemExit(f"--programs must hold what benchmarks.pjrt.lower "
                         f"wrote, got {chosen.programs}.")
    for name, programs in lowered.items():
        sides = [Side(f"lebm_tf {program['precision']}", "pjrt", {
            "kind": "step", "folder": folder,
            "precision": program["precision"]})
            for folder, program in programs]
        first = programs[0][1]
        sides += [Side(f"PyTorch {variant}", "peer", {
            "kind": "train", "setting": first["setting"], "variant": variant,
            **common}) for variant in variants]
        found.append(Case(f"train/{name}", tuple(sides), first["flops"],
                          first["inner_flops"], 1))
    return found


def main(argv=None) -> int:
    """Measures and writes; the exit code is 1 if a side failed."""
    chosen = parse(argv)
    results = {"machine": machine.describe(), "device": chosen.device,
               "cases": {}}
    for case in cases(chosen):
        busy = machine.busy()
        sides = Sides(case, chosen, str(ROOT), {
            "peer": chosen.peer_python, "pjrt": chosen.jax_python}).measure()
        results["cases"][case.name] = {
            "flops": case.flops, "inner_flops": case.inner_flops,
            "items": case.items, "busy": busy, "source": "",
            "sides": sides}
    (chosen.programs / "pjrt.json").write_text(
        json.dumps(results, indent=2) + "\n", encoding="utf-8")
    text = report.markdown(results, "benchmarks.pjrt.run")
    (chosen.programs / "pjrt.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return int(any("failed" in side for case in results["cases"].values()
                   for side in case["sides"].values()))


if __name__ == "__main__":
    sys.exit(main())
