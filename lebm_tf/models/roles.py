"""Roles: whose states a sampler draws, and what it climbs for them."""

import dataclasses
from typing import Any, Callable, Mapping

from lebm_tf.densities.targets import (
    Target, joint_target, posterior_target, prior_target)
from lebm_tf.mcmc import rng
from lebm_tf.samplers import Draws, Sampler

# Of what is asked of a model, not drawn in training.
ANSWERS = ("generation", "inference")


@dataclasses.dataclass(frozen=True)
class Role:
    """One role: a sampler and its target.

    Attributes:
        sampler: Draws its states.
        target: (model, draws) -> what the sampler climbs; the draws hold the
            batch, the states of roles before it, and in training the seed of
            the step. That of `TARGETS` if None.
        view: Batch -> the part of the batch that the role is about, as its
            "x", "condition", ...; None where there is no such part, and then
            nothing is drawn. The whole batch if None.
        prior: Whose energy the states have; the model's prior if None.
        every_turn: Whether its states are drawn for every turn and update of
            a step, as what is on the tape always is.
    """
    sampler: Sampler
    target: Callable[[Any, Draws], Any] | None = None
    view: Callable[[Mapping[str, Any]], Mapping[str, Any] | None] | None = None
    prior: Any = None
    every_turn: bool = False

    @property
    def drawn_again(self) -> bool:
        """Whether a step draws its states more than once."""
        return self.every_turn or self.sampler.is_reparameterized


def posterior(model: Any, draws: Draws) -> Target:
    """p(z | x), and of y too where there is one."""
    seed = None
    if draws.seed is not None and model.likelihood.chain_dropout:
        seed = rng.stream(draws.seed, "chain_dropout")
    return _with_attribute(model, draws, posterior_target(
        model.prior, model.likelihood, draws.batch["x"],
        draws.batch.get("condition"), seed))


def prior(model: Any, draws: Draws) -> Target:
    """p(z)."""
    return prior_target(model.prior, draws.batch.get("condition"))


def attributed_prior(model: Any, draws: Draws) -> Target:
    """p(z), or p(z | y) where there is a y, as "attribute"."""
    return _with_attribute(model, draws, prior(model, draws))


def _with_attribute(model, draws, target):
    if model.attribute is None or "attribute" not in draws.batch:
        return target
    return joint_target(target, model.attribute, draws.batch["attribute"])


# What the roles of every family climb, if they do not say.
TARGETS = {"positive": posterior, "inference": posterior, "negative": prior,
           "generation": attributed_prior}


def resolved(roles: Mapping[str, Role | Sampler], has_latents: bool
             ) -> dict[str, Role]:
    """Every role with a target, generation and inference among them if there
    are roles to take their places.

    Args:
        roles: As of `EnergyModel`.
        has_latents: Whether positive states are inferred from observations.

    Raises:
        ValueError: If a role that climbs has no target.
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
            raise ValueError(f"role {name!r} must have a target to climb, got "
                             "none.")
    return found
