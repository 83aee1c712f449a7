"""Roles: a sampler and the target whose states it draws."""

import dataclasses
from typing import Any, Callable, Mapping

from lebm_tf.densities.targets import (
    Target, joint_target, posterior_target, prior_target)
from lebm_tf.mcmc import rng
from lebm_tf.samplers import Draws, Sampler

# Roles that answer requests; they are not drawn in training.
ANSWERS = ("generation", "inference")


@dataclasses.dataclass(frozen=True)
class Role:
    """A sampler and its target.

    Attributes:
        sampler: Draws the states.
        target: (model, draws) -> target of the sampler. The draws hold the
            batch, the states of earlier roles and, in training, the seed of the
            step. None takes the entry of `TARGETS`.
        view: Batch -> the part of the batch that the role uses, with its own
            "x", "condition", ...; returns None to draw nothing. None uses the
            whole batch.
        prior: Prior with the energy of the states; None takes that of the
            model.
        every_turn: Whether the states are redrawn for every turn and update of
            a step, as those on the tape always are.
    """
    sampler: Sampler
    target: Callable[[Any, Draws], Any] | None = None
    view: Callable[[Mapping[str, Any]], Mapping[str, Any] | None] | None = None
    prior: Any = None
    every_turn: bool = False

    @property
    def drawn_again(self) -> bool:
        """Whether a step draws the states more than once."""
        return self.every_turn or self.sampler.is_reparameterized


def posterior(model: Any, draws: Draws) -> Target:
    """p(z | x), or p(z | x, y) if there is an attribute y."""
    seed = None
    if draws.seed is not None and model.likelihood.chain_dropout:
        seed = rng.stream(draws.seed, "chain_dropout")
    return _with_attribute(model, draws, posterior_target(
        model.prior, model.likelihood, draws.batch["x"],
        draws.batch.get("condition"), seed))


def prior(model: Any, draws: Draws) -> Target:
    """The prior p(z)."""
    return prior_target(model.prior, draws.batch.get("condition"))


def attributed_prior(model: Any, draws: Draws) -> Target:
    """p(z), or p(z | y) if the batch has an attribute y."""
    return _with_attribute(model, draws, prior(model, draws))


def _with_attribute(model, draws, target):
    if model.attribute is None or "attribute" not in draws.batch:
        return target
    return joint_target(target, model.attribute, draws.batch["attribute"])


# Default targets of roles.
TARGETS = {"positive": posterior, "inference": posterior, "negative": prior,
           "generation": attributed_prior}


def resolved(roles: Mapping[str, Role | Sampler], has_latents: bool
             ) -> dict[str, Role]:
    """Completes roles with their default targets, and adds generation and
    inference from negative and positive.

    Args:
        roles: As in `EnergyModel`.
        has_latents: Whether positive states are inferred from observations.

    Raises:
        ValueError: If a role needs a target and has none.
    """
    found = {name: role if isinstance(role, Role) else Role(role)
             for name, role in roles.items()}
    for answer, training in zip(ANSWERS, ("negative", "positive")):
        if answer == "inference" and not has_latents:
            continue
        if answer not in found and training in found:
            found[answer] = dataclasses.replace(
                found[training], target=found[training].target
                or TARGETS[answer])
    for name, role in found.items():
        if role.target is None and name in TARGETS:
            found[name] = dataclasses.replace(role, target=TARGETS[name])
        elif role.target is None and role.sampler.climbs:
            raise ValueError(f"role {name!r} must have a target, because its "
                             "sampler runs chains; got none.")
    return found
