"""Trajectory forecasting: future paths of agents, given their past (LB-EBM).

p(z | past) = exp(-E(z, past)) N(z; 0, scale^2 I) / Z(past). z is decoded to a
plan of way-points, and the plan to a future. Positive states come from an
encoder of the true plan, negative ones from prior chains: Pang, Zhao, Xie and
Wu 2021, arXiv:2104.03086, with the networks and losses of bpucla/lbebm.
"""

import dataclasses
from typing import Annotated

import keras
import tensorflow as tf

from lebm_tf.assembly import starts
from lebm_tf.assembly.components import (
    ChainConfig, DataSpec, EnergyConfig, compiled, sampler)
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.assembly.probes import Probe, zeros
from lebm_tf.densities import (
    ConditionalGaussian, EnergyPrior, GaussianLikelihood, StandardNormal)
from lebm_tf.kinds import TRAJECTORY
from lebm_tf.mcmc import rng
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.networks import (
    ContextEnergy, Forecaster, PlanEncoder, SocialContext)
from lebm_tf.objectives import (
    Objective, consistency_error, encoded_energy, energy_contrast, future_error,
    gaussian_kl, plan_error, summed_gaussian_kl, with_forecast)
from lebm_tf.ranges import (
    Checked, NonNegativeFloat, NonNegativeInt, OneOf, PositiveFloat,
    PositiveInt)
from lebm_tf.samplers import Encoded

KL_REDUCTIONS = {"sum": summed_gaussian_kl, "mean": gaussian_kl}


@dataclasses.dataclass(frozen=True)
class ForecastConfig(Checked):
    """The networks, multilayer perceptrons with ReLU.

    Attributes:
        past_units: Hidden widths from a past to its features.
        pooling_units: Hidden widths of the three networks of social pooling:
            theta, and phi and g unless given.
        pooling_dim: Dimension in which agents are compared.
        plan_units: Hidden widths from a plan to its features.
        encoder_units: Hidden widths from features to z.
        decoder_units: Hidden widths from z to a plan.
        predictor_units: Hidden widths from features to a future.
        pooling_seen_units: Hidden widths of phi; empty takes pooling_units.
        pooling_value_units: Hidden widths of g; empty takes pooling_units.
    """
    past_units: tuple[PositiveInt, ...] = (512, 256)
    pooling_units: tuple[PositiveInt, ...] = (256, 128, 64)
    pooling_dim: PositiveInt = 128
    plan_units: tuple[PositiveInt, ...] = (256, 128)
    encoder_units: tuple[PositiveInt, ...] = (256, 512)
    decoder_units: tuple[PositiveInt, ...] = (1024, 512, 1024)
    predictor_units: tuple[PositiveInt, ...] = (1024, 512, 256)
    pooling_seen_units: tuple[PositiveInt, ...] = ()
    pooling_value_units: tuple[PositiveInt, ...] = ()


@dataclasses.dataclass(frozen=True)
class TrajectoryConfig(FamilyConfig):
    """Defaults of the official lbebm_sdd.py.

    Attributes:
        latent_dim: Dimension of z.
        feature_dim: Dimension of the features of pasts and plans.
        plan_steps: Positions of the future, counted from 0, that form the plan;
            the last must be the end of the future.
        num_symbols: Number of symbols of the prior (ny in the authors' code);
            above 1, E is minus the logsumexp of that many logits.
        base_scale: Standard deviation of p0, and of the initial states of
            chains unless prior_start_scale is given.
        prior: Chains that draw negative states and samples.
        prior_bank_size: Number of chains in the bank of prior.start=bank.
        generation_steps: Steps of the chains that draw samples; 0 takes
            prior_num_steps.
        energy: The energy network.
        forecast: The other networks.
        num_pools: Number of social pooling rounds; 0 for none, as in the code
            for ETH/UCY.
        predict_from: Features of the past for the prediction: pooled, as in
            training, or plain, as in the authors' code.
        plan_weight: Weight of the error of the plan; errors are means over
            coordinates.
        future_weight: Weight of the error of the future.
        consistency_weight: Weight of the distance between plan and future.
        kl_weight: Weight of the KL divergence to N(0, I).
        kl_reduction: Reduction over the batch: sum, as in the authors' code, or
            mean.
        likelihood_scale: Standard deviation of a coordinate in model units, for
            scores; not used in training.
        energy_optimizer: Optimizer of the energy.
        forecaster_optimizer: Optimizer of all other networks.
    """
    latent_dim: PositiveInt = 16
    feature_dim: PositiveInt = 16
    plan_steps: tuple[int, ...] = (2, 5, 8, 11)
    num_symbols: PositiveInt = 1
    base_scale: PositiveFloat = 2.0
    prior: ChainConfig = ChainConfig(num_steps=20, step_size=0.4)
    prior_bank_size: PositiveInt = 200_000
    generation_steps: NonNegativeInt = 0
    energy: EnergyConfig = EnergyConfig()
    forecast: ForecastConfig = ForecastConfig()
    num_pools: NonNegativeInt = 3
    predict_from: Annotated[str, OneOf(("pooled", "plain"))] = "plain"
    plan_weight: NonNegativeFloat = 2.0
    future_weight: NonNegativeFloat = 1.0
    consistency_weight: NonNegativeFloat = 1.0
    kl_weight: NonNegativeFloat = 0.6
    kl_reduction: Annotated[str, OneOf(KL_REDUCTIONS)] = "sum"
    likelihood_scale: PositiveFloat = 30.0
    energy_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=3e-4, beta_1=0.9)
    forecaster_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=3e-4, beta_1=0.9)

    kinds = (TRAJECTORY,)

    def probes(self, data):
        z, x = zeros(self.latent_dim), zeros(*data.shape)
        features = {name: zeros(self.feature_dim)
                    for name in ("pooled", "plain")}
        given = {"past": zeros(data.past_length, 2),
                 "group": zeros(dtype=tf.int64)}
        return {"energy": Probe((z, features), ((),)),
                "forecaster": Probe((z, features), (data.shape,)),
                "encoder": Probe((x, features), ((self.latent_dim,),) * 2),
                "context": Probe((given,), ((self.feature_dim,),) * 2)}

    def validate(self):
        if self.prior.start == "encoder":
            raise ValueError("prior_start must be base or bank, got "
                             "'encoder': a prior has no input future.")
        if self.prior.start != "bank":
            self.leave_out("prior_bank_size", reason="without prior_start=bank")


Config = TrajectoryConfig
EVALUATORS = ("trajectories",)
INFERENCE_BATCH = 1_000  # Paths per batch; paths are small.


def build(config: TrajectoryConfig, data: DataSpec, *, batch_size: int = 100,
          seed: int = 0, energy: keras.layers.Layer | None = None,
          forecaster: keras.layers.Layer | None = None,
          encoder: keras.layers.Layer | None = None,
          context: keras.layers.Layer | None = None) -> EnergyModel:
    """Assembles and compiles the model.

    Args:
        config: Configuration of the family.
        data: Specification of the data.
        batch_size: Agents per step; learning-rate decay counts in epochs.
        seed: Seed of initial weights and all chains.
        energy: Layer that replaces `networks.ContextEnergy`.
        forecaster: Layer that replaces `networks.Forecaster`.
        encoder: Layer that replaces `networks.PlanEncoder`.
        context: Layer that replaces `networks.SocialContext`.

    Raises:
        ValueError: If the plan does not end with the future, or the bank is
            smaller than a batch.
    """
    seeds = rng.seeds(seed)
    future_length = data.shape[0]
    if not config.plan_steps or config.plan_steps[-1] != future_length - 1:
        raise ValueError(f"plan_steps must end with {future_length - 1}, the "
                         "last position of the future, got "
                         f"{config.plan_steps}.")
    widths, nets = (config.latent_dim, config.feature_dim), config.forecast
    base = StandardNormal(config.latent_dim, config.base_scale)
    prior = EnergyPrior(base, energy or ContextEnergy(
        *widths, config.energy.hidden_units, config.energy.activation,
        seeds("energy"), config.num_symbols))
    context = context or SocialContext(
        data.past_length, config.feature_dim, nets.past_units,
        config.num_pools, nets.pooling_dim, nets.pooling_units, seeds("scene"),
        nets.pooling_seen_units, nets.pooling_value_units)
    forecaster = forecaster or Forecaster(
        *widths, future_length, config.plan_steps, nets.plan_units,
        nets.decoder_units, nets.predictor_units, config.predict_from,
        seeds("forecaster"))
    encoder = ConditionalGaussian(encoder or PlanEncoder(
        forecaster, *widths, nets.encoder_units, seeds("encoder")),
        is_conditional=True)
    likelihood = GaussianLikelihood(
        forecaster, config.likelihood_scale, is_conditional=True)
    priors = starts.of_prior(config.prior, base, config.prior_bank_size,
                             batch_size, seeds("prior_bank"))
    model = EnergyModel(
        prior=prior, likelihood=likelihood, encoder=encoder, context=context,
        parts={"energy": prior.energy_network,
               "forecaster": (forecaster, encoder, context)},
        objectives={
            "energy": Objective(("energy",), {"energy": energy_contrast}),
            "forecast": _forecast(config, future_length)},
        roles={"positive": Encoded(encoder),
               "negative": sampler(config.prior, priors.training),
               "generation": sampler(config.prior, priors.fresh,
                                     config.generation_steps)},
        banks=priors.banks, seed=seed)
    model.inference_batch = INFERENCE_BATCH
    return compiled(model, {"energy": config.energy_optimizer,
                            "forecaster": config.forecaster_optimizer}, data,
                    batch_size)


def _forecast(config: TrajectoryConfig, future_length: int) -> Objective:
    """Objective of all networks except the energy."""
    plan_size, future_size = 2 * len(config.plan_steps), 2 * future_length
    return Objective(
        ("forecaster",),
        {"plan": plan_error, "future": future_error,
         "consistency": consistency_error,
         "kl": KL_REDUCTIONS[config.kl_reduction],
         "encoded_energy": encoded_energy},
        {"plan": config.plan_weight / plan_size,
         "future": config.future_weight / future_size,
         "consistency": config.consistency_weight / plan_size,
         "kl": config.kl_weight}, with_forecast)
