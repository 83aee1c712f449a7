"""Turns: consecutive updates within a training step."""

from typing import Any, Mapping, NamedTuple, Sequence

import tensorflow as tf

from lebm_tf.mcmc import replicas
from lebm_tf.models import optimization
from lebm_tf.objectives.objective import Objective


class Turn(NamedTuple):
    """One update of a step.

    Attributes:
        parts: Parts that it updates.
        objectives: Objectives that it uses; None for all that train any of the
            parts.
        keeps_states: Whether it reuses the states of the turn before, as
            constants. Otherwise states drawn on the tape are redrawn.
        needs_states: Whether its objectives use states. If those of the first
            turn do not, states are drawn for the second, with the weights after
            the first.
    """
    parts: tuple[str, ...]
    objectives: tuple[str, ...] | None = None
    keeps_states: bool = False
    needs_states: bool = True


def resolved(turns: Sequence[Any], parts: Mapping[str, Any],
             objectives: Mapping[str, Objective],
             updates: Mapping[str, int]) -> tuple[Turn, ...]:
    """Returns the turns with their objectives.

    Args:
        turns: Instances of `Turn`, or names of parts; () for one turn of all
            parts.
        parts, objectives, updates: As in `EnergyModel`.

    Raises:
        ValueError: If a part is not trained exactly once by each of its
            objectives, or there are updates with several turns.
    """
    found = []
    for turn in turns or (tuple(parts),):
        turn = turn if isinstance(turn, Turn) else Turn(tuple(turn))
        found.append(turn._replace(objectives=tuple(
            name for name, objective in objectives.items()
            if set(turn.parts) & set(objective.parts)
            and name in (turn.objectives or objectives))))
    learned = sorted((part, name) for turn in found
                     for name in turn.objectives or () for part in turn.parts
                     if part in objectives[name].parts)
    wanted = sorted((part, name) for name, objective in objectives.items()
                    for part in objective.parts)
    if learned != wanted or {part for turn in found
                             for part in turn.parts} != set(parts):
        named = ", ".join(part for turn in found for part in turn.parts)
        each = " for each objective that trains it" if any(
            isinstance(turn, Turn) for turn in turns) else ""
        raise ValueError(f"turns must name each of {', '.join(parts)} once"
                         f"{each}, got {named}.")
    if len(found) > 1 and updates:
        raise ValueError("updates must be left out with several turns, got "
                         f"{', '.join(updates)}.")
    return tuple(found)


def updates_of(turns: Sequence[Turn], part: str) -> int:
    """Number of turns that update a part."""
    return sum(part in turn.parts for turn in turns)


def gradients(model: Any, tape: tf.GradientTape, losses: Mapping[str, Any],
              parts: Sequence[str]) -> dict[str, list]:
    """Part -> gradients of the sum of all losses that train it.

    Terms average over the rows of a replica, so summing each replica's share
    over all replicas gives the gradient of the whole batch. Parts with the same
    objectives share one backward pass: TensorFlow would run two, because it
    does not recognize equal loops.

    Args:
        model: An `EnergyModel`.
        tape: Tape of the losses.
        losses: Objective -> (value, ...).
        parts: Parts to differentiate.
    """
    groups: dict[tuple, list[str]] = {}
    for part in parts:
        alone = optimization.has_loss_scale(model.optimizers[part]) and part
        groups.setdefault((alone, *(
            name for name in losses
            if part in model.objectives[name].parts)), []).append(part)
    found: dict[str, list] = {}
    for (_, *names), some in groups.items():
        # A list: a sum computed after the tape would not be recorded.
        totals = [losses[name][0] for name in names]
        scale = optimization.loss_scale(
            model.optimizers[some[0]]) / replicas.count()
        found.update(zip(some, tape.gradient(
            totals, [model.variables_of(part) for part in some],
            [tf.cast(scale, total.dtype) for total in totals])))
    found = {part: replicas.total(found[part]) for part in parts}
    together = {part: found[part] for part in parts
                if not optimization.is_energy(part)}
    if model.joint_clip_norm and together:
        found.update(optimization.clipped_together(
            model.joint_clip_norm, model.optimizers, together))
    return found
