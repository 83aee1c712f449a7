"""Learned samplers, in place of chains or as their initialization.

A flow q(z) and an encoder q(z | x) minimize KL(q(z) || p(z)) and KL(q(z | x) ||
p(z | x)), each up to a constant, while the energy is trained on their samples:
the amortized form of the perturbed maximum likelihood of Pang et al. 2020,
arXiv:2006.08205, section on short runs. A diffusion model learns the posterior
from chains that it initializes: Yu et al. 2023, arXiv:2310.03218 (DAMC).
"""

from typing import Any, Callable, Mapping, NamedTuple

import keras

from lebm_tf.assembly.components import DataSpec, sampler
from lebm_tf.densities import Base, ConditionalGaussian, Encoder, Unconditional
from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import initial_state, num_chains
from lebm_tf.models import MovingCopy, Role
from lebm_tf.objectives import (
    DenoisingError, FlowDivergence, FlowTeaching, Objective, OnRoles, Term,
    kl_to_prior, negative_log_likelihood)
from lebm_tf.samplers import (
    Beside, Draw, Encoded, Flowed, FromBase, FromData, FromEncoder, FromRole,
    Sampler)


class Pieces(NamedTuple):
    """Additions of a learned sampler to a model; fields as its arguments.

    Attributes:
        optimizers: Part -> name of its configuration.
    """
    roles: Mapping[str, Any]
    parts: Mapping[str, Any] = {}
    objectives: Mapping[str, Objective] = {}
    optimizers: Mapping[str, str] = {}
    updates: Mapping[str, int] = {}
    copies: Mapping[str, MovingCopy] = {}
    encoder: Encoder | None = None

    def added(self, roles: Mapping[str, Any]) -> dict[str, Any]:
        """Merges other roles with these, which replace and precede them: some
        other roles use the states of these."""
        return {**self.roles, **roles, **self.roles}


def of_image(config: Any, base: Base, data: DataSpec, seeds: Callable,
             encoder: Any, make_encoder: Callable) -> Pieces:
    """Pieces of the samplers of an image configuration; empty for chains.

    Args:
        config: Configuration of a family, with the fields used below.
        base: p0.
        data: Specification of the training data.
        seeds: Name -> seed.
        encoder, make_encoder: As in `of_posterior`.
    """
    pieces = of_prior(config, base, seeds("flow"))
    if config.posterior_sampler == "chains":
        return pieces
    if config.posterior_sampler == "diffusion":
        more = of_diffusion(config, base, data, seeds("diffusion"), encoder)
    else:
        more = of_posterior(config, encoder, make_encoder)
    mine, others = more._asdict(), pieces._asdict()
    merged: dict[str, Any] = {name: {**mine[name], **others[name]}
                              for name in mine if name != "encoder"}
    return more._replace(**merged)


def of_prior(config: Any, base: Base, seed: int) -> Pieces:
    """Pieces of a flow that draws negative states and samples, followed by
    chains if hybrid; empty for chains alone.

    Args:
        config: With latent_dim, prior, optionally generation_steps, and the
            fields of `learned.FlowSampled`.
        base: p0.
        seed: Seed of initial weights.
    """
    if config.prior_sampler not in ("flow", "hybrid"):
        return Pieces({})
    flow = config.flow.make(config.latent_dim, seed, base)
    drawn: str = "negative"
    roles: dict[str, Sampler] = {
        "negative": Flowed(flow), "generation": Flowed(flow)}
    if config.prior_sampler == "hybrid":
        drawn, roles = "flow", {
            "flow": Flowed(flow),
            "negative": sampler(config.prior, FromRole("flow"), 0, base,
                                proposal=flow),
            "generation": sampler(
                config.prior, FromBase(flow),
                vars(config).get("generation_steps", 0), base,
                proposal=flow)}
    terms: dict[str, Term] = {"flow": FlowDivergence(drawn)}
    if config.flow_teaching:
        terms["flow_teaching"] = FlowTeaching(flow)
    return Pieces(
        roles, {"flow": flow},
        {"flow": Objective(("flow",), terms, {
            "flow_teaching": config.flow_teaching} if (
                config.flow_teaching) else {})},
        {"flow": "flow_optimizer"}, {"flow": config.flow_updates})


def of_posterior(config: Any, encoder: Any, make_encoder: Callable) -> Pieces:
    """Pieces of an encoder that draws positive states, followed by chains if
    hybrid.

    Args:
        config: With posterior_sampler, posterior and inference_steps.
        encoder: Layer that replaces the built-in encoder, or a density.
        make_encoder: Builds the built-in encoder.
    """
    density = encoder if isinstance(encoder, Encoder) else (
        ConditionalGaussian(encoder or make_encoder()))
    if config.posterior_sampler == "encoder":
        drawn = Encoded(density)
        return Pieces(
            {"positive": drawn, "inference": drawn}, {"encoder": density},
            {"generator": Objective(("generator", "encoder"), {
                "reconstruction": negative_log_likelihood}),
             "encoder": Objective(("encoder",), {"kl": kl_to_prior})},
            {"encoder": "encoder_optimizer"}, encoder=density)
    proposed = {"positive": "proposal"}
    return Pieces(
        {"proposal": Encoded(density),
         "positive": sampler(config.posterior, FromRole("proposal")),
         "inference": sampler(config.posterior, FromEncoder(density),
                              config.inference_steps)},
        {"encoder": density},
        {"encoder": Objective(("encoder",), {
            "reconstruction": OnRoles(negative_log_likelihood, proposed),
            "kl": OnRoles(kl_to_prior, proposed)})},
        {"encoder": "encoder_optimizer"}, encoder=density)


def of_diffusion(config: Any, base: Base, data: DataSpec, seed: int,
                 encoder: keras.layers.Layer | None) -> Pieces:
    """Pieces of posterior chains that start from a diffusion model, which
    learns from their final states.

    Args:
        config: With latent_dim, prior, prior_sampler, posterior,
            generation_steps, inference_steps and diffusion.
        base: p0.
        data: Specification of the images.
        seed: Seed of initial weights.
        encoder: Layer that replaces the built-in one, x -> context.
    """
    settings = config.diffusion
    learner, target = (settings.make(
        config.latent_dim, data.shape, seed, encoder if i == 0 else (
            encoder and type(encoder).from_config(encoder.get_config())))
        for i in range(2))
    drawing = learner.with_steps(settings.sampling_steps or learner.num_steps)
    refined = FromRole("positive", at_start=True)
    start = refined if settings.negatives == "refined" else Beside(
        refined, FromBase(base))
    unconditional = config.prior_sampler == "diffusion"
    terms = {"diffusion": DenoisingError(
        learner, "masked", mask_rate=settings.mask_rate)}
    if settings.learns == "both":
        terms = {f"diffusion_{name}": DenoisingError(learner, name)
                 for name in ("given", "none")}
    masked = {} if settings.learns == "both" else {
        "masked": Role(FromData(_uniform), view=lambda batch: batch)}
    roles: dict[str, Any] = {
        **masked,
        "positive": sampler(config.posterior, FromEncoder(target)),
        "negative": sampler(config.prior, start, 0, base),
        "inference": sampler(config.posterior, FromEncoder(drawing),
                             config.inference_steps),
        "generation": sampler(config.prior, FromBase(
            Unconditional(drawing) if unconditional else base),
            config.generation_steps, base)}
    if unconditional:
        roles["generation"] = roles["generation"].with_steps(
            config.generation_steps)
    return Pieces(
        roles, {"diffusion": learner},
        {"diffusion": Objective(("diffusion",), terms)},
        {"diffusion": "diffusion_optimizer"},
        {"diffusion": settings.updates},
        {"diffusion": MovingCopy(target, learner, settings.target_rate,
                                 settings.target_interval)}, learner)


def _uniform(batch, seed):
    """A uniform number in [0, 1) for every row."""
    u = rng.uniform([num_chains(batch["x"])], seed, keras.config.floatx())
    return Draw(u, initial_state(u))
