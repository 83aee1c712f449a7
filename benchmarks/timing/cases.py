"""What `benchmarks.speed` measures: cases, each with its sides."""

import dataclasses
import json
import os
from typing import Iterator

from benchmarks.timing import flops
from benchmarks.timing.case import Case, Side
from benchmarks.timing.setting import Setting
from lebm_tf.configuration import fields
from lebm_tf.train import from_flagfile

SHAPES = {"svhn": (32, 32, 3), "cifar10": (32, 32, 3), "mnist": (28, 28, 1)}
PRECISIONS = ("float32", "mixed_bfloat16")
_TOLERANCES = {"float32": 1e-4, "bfloat16": 0.2}  # Of `agreement`.
_FAR = 10_000  # Rows of the largest prior chain.


@dataclasses.dataclass(frozen=True)
class Plan:
    """What all cases share.

    Attributes:
        tiny: Whether networks are small, to see that all works.
        variants: Of `benchmarks.peer`.
        threads: For every program; 0 leaves it to each.
        folder: For files that sides hand on.
        flagfiles: Folder of the configurations.
        precisions: Those of lebm_tf that are measured, of `PRECISIONS`.
    """
    tiny: bool
    variants: tuple[str, ...]
    threads: int
    folder: str
    flagfiles: str = "configs"
    precisions: tuple[str, ...] = PRECISIONS

    def setting(self, name: str) -> Setting:
        """The published setting of a data set, as its flagfile has it."""
        run, model, _ = from_flagfile(
            os.path.join(self.flagfiles, f"image_{name}.cfg"))
        model = json.loads(json.dumps(fields.to_dict(model)))
        setting = Setting(model, SHAPES[name], run.batch_size)
        return shrunk(setting) if self.tiny else setting

    def ours(self, setting: Setting, kind: str,
             precisions: tuple[str, ...] | None = None, **more
             ) -> tuple[Side, ...]:
        """lebm_tf in each precision; those of the plan if not given."""
        return tuple(Side(f"lebm_tf {precision}", "ours", {
            "kind": kind, "setting": setting.to_json(),
            "precision": precision, "threads": self.threads, **more})
            for precision in precisions or self.precisions)

    def theirs(self, setting: Setting, kind: str, variants=None, **more
               ) -> tuple[Side, ...]:
        """PyTorch in each variant."""
        return tuple(Side(f"PyTorch {variant}", "peer", {
            "kind": kind, "setting": setting.to_json(), "variant": variant,
            "threads": self.threads, **more})
            for variant in (self.variants if variants is None else variants))

    @property
    def eager(self) -> tuple[str, ...]:
        """The authors' way, where PyTorch is measured at all."""
        return ("eager",) if self.variants else ()


def shrunk(setting: Setting) -> Setting:
    """The same kind of network, so small that anything takes a moment."""
    made = setting.model
    return setting.changed(
        batch_size=4, prior={"num_steps": 3}, posterior={"num_steps": 2},
        generator={"channels": [max(2, width // 64) for width in
                                made["generator"]["channels"]]},
        energy={"hidden_units": [8] * len(made["energy"]["hidden_units"])})


def all_cases(plan: Plan) -> list[Case]:
    """Every case, in the order in which they are measured."""
    return [*_limit(plan), *_agreement(plan), *_training(plan), *_prior(plan),
            *_served(plan), *_start(plan), *_scaling(plan), *_memory(plan)]


def chosen(cases: list[Case], names: tuple[str, ...]) -> list[Case]:
    """Cases of these names or groups; all if there are none.

    Raises:
        ValueError: If a name fits no case.
    """
    for name in names:
        if not any(_fits(case, name) for case in cases):
            known = dict.fromkeys(case.name.split("/")[0] for case in cases)
            raise ValueError(f"cases must be of the groups "
                             f"{', '.join(known)}, got {name!r}.")
    return [case for case in cases
            if not names or any(_fits(case, name) for name in names)]


def _fits(case, name):
    return case.name == name or case.name.startswith(name + "/")


def _limit(plan) -> Iterator[Case]:
    size = 64 if plan.tiny else 4096
    for precision in ("float32", "bfloat16"):
        task = {"kind": "product", "size": size, "precision": precision,
                "threads": plan.threads}
        sides = [Side("TensorFlow", "ours", task)]
        if plan.variants:
            sides.append(Side("PyTorch", "peer", task))
        yield Case(f"limit/{precision}", tuple(sides), *[flops.matmul(size)]*2)


def _agreement(plan) -> Iterator[Case]:
    """Both programs with the same weights and noise, in small."""
    if not plan.variants:
        return
    for name in SHAPES:
        setting = dataclasses.replace(plan, tiny=True).setting(name).changed(
            prior={"num_steps": 60}, posterior={"num_steps": 20})
        file = {"file": os.path.join(plan.folder, f"{name}.npz")}
        sides = [dataclasses.replace(side, task={
            **side.task, "tolerance": _TOLERANCES[side.precision]})
            for side in plan.theirs(setting, "agreement", **file)]
        yield Case(f"agreement/{name}", tuple(sides), once=True, before=(
            plan.ours(setting, "agreement", ("float32",), **file)))


def _training(plan) -> Iterator[Case]:
    for name in SHAPES:
        setting = plan.setting(name)
        for kind, count in (("train", flops.train_step),
                            ("posterior", flops.posterior_chain)):
            yield Case(f"{kind}/{name}", (*plan.ours(setting, kind),
                                          *plan.theirs(setting, kind)),
                       count(setting), count(setting, border=False))
        still = setting.changed(prior={"num_steps": 0},
                                posterior={"num_steps": 0})
        yield Case(f"learning/{name}", (
            *plan.ours(still, "train"),
            *plan.theirs(still, "train", plan.eager)),
            flops.learning(still), flops.learning(still, border=False))
        yield Case(f"batches/{name}", plan.ours(
            setting, "batches", ("float32",)), items=setting.batch_size)


def _prior(plan) -> Iterator[Case]:
    for name in SHAPES:
        for rows in (1, 100, _FAR) if name == "svhn" else (100,):
            setting = plan.setting(name).changed(
                4 if plan.tiny and rows > 1 else rows)
            count = flops.prior_chain(setting)
            yield Case(f"prior/{name}/{rows}", (
                *plan.ours(setting, "prior"), *plan.theirs(setting, "prior")),
                count, count, setting.batch_size)


def _served(plan) -> Iterator[Case]:
    """Requests to an exported model; in float32, as all are exported."""
    for rows in (1, 10, 100, 256):
        setting = plan.setting("svhn").changed(min(rows, 5) if plan.tiny
                                               else rows)
        sides, before = [], []
        for title, blocks in (("blocks of the export", ()),
                              ("row by row", (1,))):
            folder = os.path.join(plan.folder, f"served_{rows}_{len(blocks)}")
            before += plan.ours(
                setting, "export", ("float32",), folder=folder,
                max_batch=max(16, rows), row_blocks=blocks)
            sides.append(Side(
                f"lebm_tf SavedModel, {title}", "served",
                {"folder": folder, "rows": setting.batch_size,
                 "threads": plan.threads}))
        yield Case(f"served/{rows}", (
            *sides, *plan.theirs(setting, "sample", plan.eager)),
            flops.sample(setting), flops.sample(setting, border=False),
            setting.batch_size, tuple(before))


def _start(plan) -> Iterator[Case]:
    for name in SHAPES:
        setting = plan.setting(name)
        yield Case(f"start/{name}", (
            *plan.ours(setting, "train"),
            *plan.theirs(setting, "train", plan.eager)), fresh=True)


def _scaling(plan) -> Iterator[Case]:
    """One thing of the SVHN setting at a time."""
    base = plan.setting("svhn")
    widths = base.model["generator"]["channels"]
    rows, narrow = base.batch_size, widths[-1] // 2
    changes = [("steps", n, base.changed(posterior={"num_steps": n}))
               for n in (5, 10, 20, 40)]
    changes += [("batch", n, base.changed(n)) for n in (
        (2, 4) if plan.tiny else (25, 50, 100, 200))]
    changes += [("latents", n, base.changed(latent_dim=n))
                for n in (25, 50, 100, 200)]
    changes += [("side", side, dataclasses.replace(base.changed(
        generator={"channels": channels}), shape=(side, side, 3)))
        for side, channels in ((16, widths[:-1]), (32, widths),
                               (64, [*widths, max(2, narrow)]))]
    for title, number, setting in changes:
        yield Case(f"scaling/{title}/{number}", (
            *plan.ours(setting, "train", ("float32",)),
            *plan.theirs(setting, "train", plan.eager)),
            flops.train_step(setting), flops.train_step(setting, border=False))
    for replicas in (1, 2):
        yield Case(f"scaling/replicas/{replicas}", plan.ours(
            base.changed(rows), "train", ("float32",), replicas=replicas),
            flops.train_step(base), flops.train_step(base, border=False))


def _memory(plan) -> Iterator[Case]:
    """Peak memory must not grow with the number of moves."""
    few = plan.setting("svhn").changed(4 if plan.tiny else 10)
    for chain, counts in (("posterior", (10, 100, 1_000)),
                          ("prior", (60, 600, 6_000))):
        for count in (5, 50, 500) if plan.tiny else counts:
            setting = few.changed(**{chain: {"num_steps": count}})
            yield Case(f"memory/{chain}/{count}", (
                *plan.ours(setting, chain, ("float32",)),
                *plan.theirs(setting, chain, plan.eager)))
