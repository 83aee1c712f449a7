"""What users may say of samplers that learn."""

import dataclasses
from typing import Annotated, Any

import keras

from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.densities import DiffusionEncoder, LearnedFlow
from lebm_tf.densities.diffusion import VARIANCES
from lebm_tf.mcmc import rng
from lebm_tf.models import OptimizerConfig
from lebm_tf.networks import (
    ContextEncoder, LatentDenoiser, LatentGlow, NoiseContext)
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
    """A flow over latent vectors; the network of Xie et al. 2023,
    arXiv:2301.09300 (model.py of the public code).

    Attributes:
        num_steps: Steps of actnorm, rotation and coupling.
        hidden_units: Width of the two hidden layers of a coupling's network.
        coupling: affine, or additive for one without scale.
    """
    num_steps: PositiveInt = 5
    hidden_units: PositiveInt = 64
    coupling: Annotated[str, OneOf(COUPLINGS)] = "affine"

    def make(self, latent_dim: int, seed: int) -> LearnedFlow:
        """The density.

        Raises:
            ValueError: If a flow can't have that width.
        """
        return LearnedFlow(LatentGlow(
            latent_dim, self.num_steps, self.hidden_units, self.coupling,
            seed))


@dataclasses.dataclass(frozen=True)
class DiffusionConfig(Checked):
    """A diffusion that draws from the posterior; defaults of
    train_gen_recon.py of the public code of Yu et al. 2023, arXiv:2310.03218.

    Attributes:
        num_steps: Reverse steps of a draw in training.
        sampling_steps: Reverse steps on new data, and of samples; 0 takes
            diffusion_num_steps.
        context_dim: Width of what the network knows of x.
        time_dim: Width of what it knows of the time, even.
        hidden_units: Widths of its outer and of its inner layers.
        channels: Widths of the maps that make the context of a picture.
        residual: Whether the noise is z plus what the layers make.
        log_ratio_min: log(signal^2 / noise^2) of the noisiest.
        log_ratio_max: The same of what is drawn.
        variance: Of the noise of a reverse step, large or small.
        guidance: Weight w of (1 + w) e(x) - w e() when it draws.
        learns: masked (a part of the rows without x) or both (all rows with
            x, and all without, as in train_anomaly_det.py).
        mask_rate: That part.
        updates: How often a step updates it.
        target_rate: How far its slow copy, which starts the chains, moves
            towards it.
        target_interval: Steps between two such moves.
        negatives: Where prior chains start: both (where posterior chains do,
            and as many at the base) or refined (the first alone).
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
        """The density; `encoder` makes contexts, if given."""
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
class FlowSampled(FamilyConfig):
    """A family whose prior a flow may learn to draw from.

    Attributes:
        prior_sampler: What draws negative states, and samples: chains, as
            published; a flow, at one evaluation each; or both (hybrid), with
            prior_num_steps moves behind the flow.
        flow: The flow of prior_sampler.
        flow_updates: How often a step updates it.
        flow_teaching: Weight of -log q(z) of the codes of data in what it
            learns, beside KL(q || p); keeps the flow as wide as they are.
        flow_optimizer: Learns the flow.
    """
    prior_sampler: Annotated[str, OneOf(PRIOR_SAMPLERS[:3])] = "chains"
    flow: FlowConfig = FlowConfig()
    flow_updates: PositiveInt = 1
    flow_teaching: NonNegativeFloat = 0.0
    flow_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=4e-4, epoch_decay=0.998)


def check(config: Any) -> None:
    """Raises ValueError unless the samplers of a configuration fit, and its
    settings are of theirs."""
    check_prior(config)
    prior, posterior = config.prior_sampler, config.posterior_sampler
    if (prior == "diffusion" or prior != "chains"
            and posterior == "diffusion") and not (
                prior == posterior == "diffusion"):
        raise ValueError(
            "prior_sampler must be chains or diffusion with posterior_sampler="
            "diffusion, and diffusion with no other, got "
            f"{prior!r} with {posterior!r}.")
    if posterior != "diffusion":
        _leave_out(config, ("diffusion", "diffusion_optimizer"),
                   f"with posterior_sampler={posterior}")
    if posterior == "encoder":
        _leave_out(config, ("posterior", "inference_steps"),
                   "with posterior_sampler=encoder, which makes no chains")
    _check_start(config, "posterior", posterior)


def check_prior(config: Any) -> None:
    """The same of what draws from the prior alone."""
    prior = config.prior_sampler
    if prior in ("flow", "hybrid"):
        if config.latent_dim % 2:
            raise ValueError("latent_dim must be even for a flow of couplings,"
                             f" got {config.latent_dim}.")
    else:
        _leave_out(config, ("flow", "flow_updates", "flow_teaching",
                            "flow_optimizer"), f"with prior_sampler={prior}")
    if prior == "flow":
        _leave_out(config, ("prior", *(
            name for name in ("generation_steps",) if hasattr(config, name))),
            "with prior_sampler=flow, which makes no chains")
    _check_start(config, "prior", prior)


def _check_start(config, kind, chosen):
    start = getattr(config, kind).start
    if chosen != "chains" and start != "base":
        raise ValueError(
            f"{kind}_start must be left out with {kind}_sampler={chosen}, "
            f"which starts its chains, got {start!r}.")


def _leave_out(config, names, reason):
    """`Checked.leave_out`, but settings of a part are named by their flags."""
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
