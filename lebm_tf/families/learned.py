"""What users may say of samplers that learn."""

import dataclasses
from typing import Annotated, Any

import keras

from lebm_tf.densities import DiffusionEncoder, LearnedFlow
from lebm_tf.densities.diffusion import VARIANCES
from lebm_tf.mcmc import rng
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


def check(config: Any) -> None:
    """Raises ValueError unless the samplers of a configuration fit, and its
    settings are of theirs."""
    prior, posterior = config.prior_sampler, config.posterior_sampler
    if prior in ("flow", "hybrid"):
        if config.latent_dim % 2:
            raise ValueError("latent_dim must be even for a flow of couplings,"
                             f" got {config.latent_dim}.")
    else:
        config.leave_out("flow", "flow_updates", "flow_optimizer",
                         reason=f"with prior_sampler={prior}")
    if prior == "flow":
        config.leave_out("prior", "generation_steps", reason="with "
                         "prior_sampler=flow, which makes no chains")
    if (prior == "diffusion" or prior != "chains"
            and posterior == "diffusion") and not (
                prior == posterior == "diffusion"):
        raise ValueError(
            "prior_sampler must be chains or diffusion with posterior_sampler="
            "diffusion, and diffusion with no other, got "
            f"{prior!r} with {posterior!r}.")
    if posterior != "diffusion":
        config.leave_out("diffusion", "diffusion_optimizer",
                         reason=f"with posterior_sampler={posterior}")
    if posterior == "encoder":
        config.leave_out("posterior", "inference_steps", reason="with "
                         "posterior_sampler=encoder, which makes no chains")
    for kind, chosen in (("prior", prior), ("posterior", posterior)):
        start = getattr(config, kind).start
        if chosen != "chains" and start != "base":
            raise ValueError(
                f"{kind}_start must be left out with {kind}_sampler={chosen}, "
                f"which starts its chains, got {start!r}.")
