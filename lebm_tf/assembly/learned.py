"""Configurations of learned samplers."""

import dataclasses
from typing import Annotated, Any

import keras

from lebm_tf.assembly.published import AsPublished
from lebm_tf.densities import Base, DiffusionEncoder, Fitted, LearnedFlow
from lebm_tf.densities.diffusion import VARIANCES
from lebm_tf.mcmc import rng
from lebm_tf.models import OptimizerConfig
from lebm_tf.networks import (
    AffineCouplings, ContextEncoder, LatentDenoiser, LatentGlow, NoiseContext)
from lebm_tf.networks.glow import COUPLINGS
from lebm_tf.ranges import (
    Checked, Interval, MinLen, NonNegativeFloat, NonNegativeInt, OneOf,
    PositiveInt)

PRIOR_SAMPLERS = ("chains", "flow", "hybrid", "diffusion")
POSTERIOR_SAMPLERS = ("chains", "encoder", "hybrid", "diffusion")
_PAIR = "masked", "both"
_NEGATIVES = "both", "refined"


@dataclasses.dataclass(frozen=True)
class FlowConfig(Checked):
    """A flow over latent vectors.

    The network of Xie et al. 2023, arXiv:2301.09300 (model.py of the public
    code). As the sampler of a prior with a fitted base, it has two affine
    couplings in place of each block, and starts as the base.

    Attributes:
        num_steps: Number of blocks of actnorm, rotation and coupling.
        hidden_units: Width of the two hidden layers of each coupling network.
        coupling: affine, or additive (without a scale).
    """
    num_steps: PositiveInt = 5
    hidden_units: PositiveInt = 64
    coupling: Annotated[str, OneOf(COUPLINGS)] = "affine"

    def make(self, latent_dim: int, seed: int, base: Base | None = None
             ) -> LearnedFlow:
        """Builds the density, over the base if that is a fitted one.

        Raises:
            ValueError: If a flow cannot have that width.
        """
        if isinstance(base, Fitted):
            if self.coupling != "affine":
                raise ValueError("flow_coupling must be affine with a fitted "
                                 f"base, got {self.coupling}.")
            return LearnedFlow(AffineCouplings(
                latent_dim, 2 * self.num_steps, 2 * (self.hidden_units,),
                seed=seed), base)
        return LearnedFlow(LatentGlow(
            latent_dim, self.num_steps, self.hidden_units, self.coupling,
            seed))


@dataclasses.dataclass(frozen=True)
class DiffusionConfig(Checked):
    """A diffusion model that samples the posterior.

    Defaults of train_gen_recon.py of the public code of Yu et al. 2023,
    arXiv:2310.03218.

    Attributes:
        num_steps: Reverse steps per sample in training.
        sampling_steps: Reverse steps on new data, and for samples; 0 takes
            diffusion_num_steps.
        context_dim: Width of the context, the features of x.
        time_dim: Width of the time embedding, even.
        hidden_units: Widths of the outer and the inner layers.
        channels: Channels of the feature maps that give the context of an
            image.
        residual: Whether the predicted noise is z plus the output of the
            layers.
        log_ratio_min: log(signal^2 / noise^2) at the highest noise level.
        log_ratio_max: log(signal^2 / noise^2) at the lowest noise level.
        variance: Variance of a reverse step, large or small.
        guidance: Weight w of classifier-free guidance, (1 + w) e(x) - w e().
        learns: masked (a fraction of the rows without x) or both (all rows with
            and without x, as in train_anomaly_det.py).
        mask_rate: Fraction of rows without x with learns=masked.
        updates: Updates per step.
        target_rate: Rate at which its moving copy, which initializes chains,
            follows it.
        target_interval: Steps between two moves of the copy.
        negatives: Initial states of prior chains: refined (positive states) or
            both (positive states, and as many samples of the base).
    """
    num_steps: PositiveInt = 100
    sampling_steps: NonNegativeInt = 0
    context_dim: PositiveInt = 1024
    time_dim: PositiveInt = 128
    hidden_units: tuple[PositiveInt, ...] = (128, 256)
    channels: Annotated[tuple[PositiveInt, ...], MinLen(1)] = (
        64, 128, 256, 512)
    residual: bool = True
    log_ratio_min: float = -5.1
    log_ratio_max: float = 9.8
    variance: Annotated[str, OneOf(VARIANCES)] = "large"
    guidance: NonNegativeFloat = 0.0
    learns: Annotated[str, OneOf(_PAIR)] = "masked"
    mask_rate: Annotated[float, Interval(ge=0, le=1)] = 0.2
    updates: PositiveInt = 6
    target_rate: Annotated[float, Interval(gt=0, le=1)] = 0.005
    target_interval: PositiveInt = 10
    negatives: Annotated[str, OneOf(_NEGATIVES)] = "both"

    def make(self, latent_dim: int, shape: tuple[int, ...], seed: int,
             encoder: keras.layers.Layer | None = None) -> DiffusionEncoder:
        """Builds the density; `encoder` replaces the context network, if given.
        """
        seeds = rng.seeds(seed)
        return DiffusionEncoder(
            LatentDenoiser(latent_dim, self.context_dim, self.time_dim,
                           self.hidden_units, self.residual,
                           seeds("network")),
            encoder or ContextEncoder(
                shape, self.context_dim, self.channels, seeds("encoder")),
            NoiseContext(latent_dim, self.context_dim,
                         seed=seeds("noise_context")),
            self.num_steps, self.log_ratio_min, self.log_ratio_max,
            self.variance, self.guidance)


@dataclasses.dataclass(frozen=True)
class FlowSampled(AsPublished):
    """A family whose prior may be sampled by a learned flow.

    Attributes:
        prior_sampler: Source of negative states and samples: chains (as
            published), flow (one evaluation), or hybrid (a flow, followed by
            prior_num_steps moves).
        flow: The flow of prior_sampler.
        flow_updates: Updates of the flow per step.
        flow_teaching: Weight of -log q(z) of posterior codes in the loss of the
            flow, added to KL(q || p); prevents collapse of the flow.
        flow_optimizer: Optimizer of the flow.
    """
    prior_sampler: Annotated[str, OneOf(PRIOR_SAMPLERS[:3])] = "chains"
    flow: FlowConfig = FlowConfig()
    flow_updates: PositiveInt = 1
    flow_teaching: NonNegativeFloat = 0.0
    flow_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=4e-4, epoch_decay=0.998)


def check(config: Any) -> None:
    """Raises ValueError if the samplers of a configuration do not fit each
    other, or a setting belongs to another sampler."""
    check_prior(config)
    prior, posterior = config.prior_sampler, config.posterior_sampler
    if (prior == "diffusion" or prior != "chains"
            and posterior == "diffusion") and not (
                prior == posterior == "diffusion"):
        raise ValueError(
            "prior_sampler must be chains or diffusion with posterior_sampler="
            "diffusion, and diffusion with no other, got "
            f"{prior!r} with {posterior!r}.")
    if posterior == "diffusion" and config.prior.start_scale:
        raise ValueError("prior_start_scale must be left out with "
                         "posterior_sampler=diffusion, got "
                         f"{config.prior.start_scale}.")
    if posterior != "diffusion":
        _leave_out(config, ("diffusion", "diffusion_optimizer"),
                   f"with posterior_sampler={posterior}")
    if posterior == "encoder":
        _leave_out(config, ("posterior", "inference_steps"),
                   "with posterior_sampler=encoder, which makes no chains")
    _check_start(config, "posterior", posterior)


def check_prior(config: Any) -> None:
    """As `check`, for the prior sampler alone."""
    prior = config.prior_sampler
    if prior in ("flow", "hybrid"):
        if config.latent_dim % 2:
            raise ValueError("latent_dim must be even for a flow of coupling "
                             f"layers, got {config.latent_dim}.")
    else:
        _leave_out(config, ("flow", "flow_updates", "flow_teaching",
                            "flow_optimizer"), f"with prior_sampler={prior}")
    if prior == "flow":
        _leave_out(config, ("prior", *(
            name for name in ("generation_steps",) if hasattr(config, name))),
            "with prior_sampler=flow, which makes no chains")
    _check_start(config, "prior", prior)


def _check_start(config, kind, chosen):
    start, scale = (getattr(getattr(config, kind), name)
                    for name in ("start", "start_scale"))
    if chosen != "chains" and scale:
        raise ValueError(
            f"{kind}_start_scale must be left out with {kind}_sampler="
            f"{chosen}, which starts its chains, got {scale}.")
    if chosen != "chains" and start != "base":
        raise ValueError(
            f"{kind}_start must be left out with {kind}_sampler={chosen}, "
            f"which starts its chains, got {start!r}.")


def _leave_out(config, names, reason):
    """As `Checked.leave_out`, but names settings of a part by their flags."""
    defaults = {field.name: field.default
                for field in dataclasses.fields(config)}
    for name in names:
        value, default = getattr(config, name), defaults[name]
        if not dataclasses.is_dataclass(default):
            config.leave_out(name, reason=reason)
            continue
        for key, item in vars(value).items():
            if item != vars(default)[key]:
                raise ValueError(f"{name}_{key} must be left out {reason}, "
                                 f"got {item!r}.")
