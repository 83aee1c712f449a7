"""Detection of divergence, and recovery by rollback.

An energy that sharpens faster than its chains can follow explodes within about
ten steps, long before anything is NaN: E(z-) runs away from E(z+), then
gradients and states follow. Therefore every logged value has a bound, see
`configuration.run.DivergenceConfig`. The bounds are far above the values of
healthy runs (docs/training.md) and far below the limits of float32.
"""

import math
import os
from typing import Mapping

from absl import logging
import keras

from lebm_tf import files
from lebm_tf.configuration.run import DivergenceConfig
from lebm_tf.errors import DivergedError
from lebm_tf.models import EnergyModel
from lebm_tf.training.checkpoint import Checkpoints

# Steps from the onset of a divergence to its detection: a checkpoint closer
# than this may already hold a diverging state.
MARGIN = 20

_CHAINS = ("positive/", "negative/")


def excesses(logs: Mapping[str, float], bounds: DivergenceConfig
             ) -> list[str]:
    """Describes every value that is not finite or exceeds its bound.

    Args:
        logs: Values returned by `train_step`.
        bounds: The bounds.

    Returns:
        One description per violation; empty if there is none.
    """
    bad = [name for name, value in logs.items() if not math.isfinite(value)]
    if bad:
        return [f"{', '.join(bad)} not finite"]
    found = []

    def check(name, value, bound):
        limit = getattr(bounds, bound)
        if limit and abs(value) > limit:
            found.append(f"{name} {value:.3g} beyond {bound} {limit:.3g}")
    energies = {}
    for name, value in logs.items():
        if name.startswith(_CHAINS) and name.endswith("/energy"):
            check(name, value, "max_energy")
            energies[name] = value
        elif name.startswith(_CHAINS) and name.endswith("/displacement"):
            check(name, value, "max_displacement")
        elif name.startswith("gradient_norm/"):
            check(name, value, "max_gradient_norm")
    if len(energies) == 2:
        positive, negative = (energies[f"{kind}energy"] for kind in _CHAINS)
        check("positive/energy - negative/energy", positive - negative,
              "max_energy_gap")
    return found


class StopOnDivergence(keras.callbacks.Callback):
    """Raises DivergedError at the first step that violates a bound.

    It must precede every callback that saves state, so that nothing of that
    step is kept.

    Args:
        bounds: The bounds.
    """

    def __init__(self, bounds: DivergenceConfig):
        super().__init__()
        self.bounds = bounds

    def on_train_batch_end(self, batch, logs=None):
        found = excesses(logs, self.bounds)
        if not found:
            return
        step, reason = int(self.model.step), "; ".join(found)
        chains = ", ".join(f"{name} {value:.3g}" for name, value in
                           logs.items() if name.startswith(_CHAINS))
        raise DivergedError(
            step, reason,
            f"diverged at step {step}: {reason}; chains: {chains}. This step "
            "was not saved. Lower the learning rate of the energy or the "
            "step_size of the chains.")


class Rollbacks:
    """Restores an earlier checkpoint after a divergence, and counts the
    rollbacks.

    The count comes from a file of records and not from the checkpoints, because
    a checkpoint is older than the divergence that leads back to it. A record is
    written after the later checkpoints are removed and before the next step. A
    run that is killed at any moment therefore diverges again in the same way,
    or continues as if it had not been killed.

    Args:
        model: The model in training.
        checkpoints: Its checkpoints; at least one must exist at a divergence.
        limit: Maximum number of rollbacks, at least 0.
        path: JSON file of the records; "" keeps them in memory.
    """

    def __init__(self, model: EnergyModel, checkpoints: Checkpoints,
                 limit: int, path: str = ""):
        self.model, self.checkpoints = model, checkpoints
        self.limit, self.path = limit, path
        self.records = read(path)
        model.rollbacks.assign(len(self.records))

    def roll_back(self, error: DivergedError) -> None:
        """Restores a state well before `error`, with new noise and half the
        learning rate of the energy.

        Raises:
            DivergedError: If the limit of rollbacks is reached.
        """
        if len(self.records) >= self.limit:
            if not self.limit:
                raise error
            raise DivergedError(
                error.step, error.reason,
                f"gave up after {len(self.records)} rollbacks "
                f"(max_rollbacks): {error}") from error
        self.checkpoints.remove_after(self._choose(error.step))
        step = self.checkpoints.restore()
        self.records.append(
            {"step": error.step, "to": step, "reason": error.reason})
        if self.path:
            files.write_json(self.path, self.records)
        self.model.rollbacks.assign(len(self.records))
        logging.warning("%s; energy learning rate x %g, new noise.",
                        describe(self.records)[-1], 0.5**len(self.records))

    def _choose(self, step: int) -> int:
        """Returns the step to restore.

        This is the newest checkpoint that is old enough. If the last rollback
        went there, it is the one before: training from there diverged again
        before the next good checkpoint.
        """
        known = self.checkpoints.steps()
        good = [s for s in known if s <= step - MARGIN] or known[:1]
        if self.records and good[-1] == self.records[-1]["to"]:
            good = good[:-1] or good
        return good[-1]


def read(path: str) -> list[dict]:
    """Returns the records that `Rollbacks` wrote; empty without a file."""
    return files.read_json(path) if path and os.path.exists(path) else []


def describe(records: list[dict]) -> list[str]:
    """Describes each rollback in one line."""
    return [f"rollback {i} from step {record['step']} to {record['to']}: "
            f"{record['reason']}" for i, record in enumerate(records, 1)]
