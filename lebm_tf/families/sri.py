"""A generator with a fixed prior, trained with posterior chains.

Short-run inference (SRI, Nijkamp et al. 2020, arXiv:1912.01909): p(z) =
N(0, I), positive states by a short run from the prior, no energy. Two of its
relatives are settings of it:

- alternating back-propagation (Han et al. 2017, arXiv:1606.08571):
  `posterior.start=bank`, where the chain of every example continues;
- several layers of latents: `num_layers=5`, with learned Gaussians between
  them, p(z1 | z2) ... p(zL), and z1 in the place of z.

Generator, chains and optimizer equal those of the image family, for which this
is the baseline with a fixed prior. The authors' networks for 5 layers differ:
every layer feeds a separate feature map of the generator, and step sizes
minimize a KL divergence; here they are given.
"""

import dataclasses

import keras

from lebm_tf.assembly.components import (
    ChainConfig, DataSpec, GeneratorConfig, compiled, sampler)
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.assembly.probes import of_generator
from lebm_tf.densities import (
    GaussianLikelihood, StandardNormal, TopDownGaussian)
from lebm_tf.kinds import IMAGE
from lebm_tf.mcmc import Langevin, rng
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.networks import FirstLayer, VectorMLP
from lebm_tf.objectives import Objective, negative_log_prior, squared_error
from lebm_tf.ranges import NonNegativeInt, PositiveFloat, PositiveInt
from lebm_tf.samplers import ChainBank, FromBase, ShortRun


@dataclasses.dataclass(frozen=True)
class SRIConfig(FamilyConfig):
    """Defaults of the image family, without its energy.

    Attributes:
        latent_dim: Dimension of z, and of every layer if there are several.
        base_scale: Standard deviation of the prior N(0, base_scale^2 I) of one
            layer.
        num_layers: Number of layers of latents; 1 has the prior N(0, I).
        layer_hidden_units: Widths of the hidden layers from a layer of latents
            to the one below.
        likelihood_scale: Standard deviation of a pixel in [-1, 1].
        posterior: Chains that draw positive states; they start from base (SRI)
            or bank (alternating back-propagation).
        inference_steps: Steps of the posterior chains on new data; 0 takes
            posterior_num_steps. A bank holds chains of training data only, so
            chains on new data start from the base and may need more moves.
        generator: The generator.
        generator_optimizer: Optimizer of the generator, and with the same
            settings of the layers above it.
    """
    latent_dim: PositiveInt = 100
    base_scale: PositiveFloat = 1.0
    num_layers: PositiveInt = 1
    layer_hidden_units: tuple[PositiveInt, ...] = (200,)
    likelihood_scale: PositiveFloat = 0.3
    posterior: ChainConfig = ChainConfig(num_steps=20, step_size=0.1)
    inference_steps: NonNegativeInt = 0
    generator: GeneratorConfig = GeneratorConfig()
    generator_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-4, epoch_decay=0.998)

    kinds = (IMAGE,)

    def probes(self, data):
        return {"generator": of_generator(self.latent_dim, data)}

    def validate(self):
        if self.num_layers > 1:
            self.leave_out("base_scale", reason="with several layers")
        if self.posterior.start == "encoder":
            raise ValueError("posterior_start must be base or bank, got "
                             "'encoder', which this family does not have.")


Config = SRIConfig
EVALUATORS = ("pictures", "reconstruction", "frechet")


def build(config: SRIConfig, data: DataSpec, *, batch_size: int = 100,
          seed: int = 0, generator: keras.layers.Layer | None = None
          ) -> EnergyModel:
    """Assembles and compiles the model; arguments as in `image.build`."""
    seeds = rng.seeds(seed)
    generator = generator or config.generator.make(
        config.latent_dim, data.shape, seeds("generator"))
    prior = StandardNormal(config.latent_dim, config.base_scale)
    if config.num_layers > 1:
        prior = _layers(config, seeds("prior"))
        generator = FirstLayer(generator)
    likelihood = GaussianLikelihood(generator, config.likelihood_scale)
    parts = {"generator": likelihood}
    objectives = {
        "generator": Objective(("generator",), {"generator": squared_error})}
    if config.num_layers > 1:
        parts["layers"] = prior
        objectives["layers"] = Objective(
            ("layers",), {"layers": negative_log_prior})
    bank: tuple[ChainBank, ...] = ()
    if config.posterior.start == "bank":
        # The seed that the image family gives its bank of posterior chains.
        bank = (ChainBank(config.posterior.first_states(prior),
                          data.num_train, seeds("posterior_bank"),
                          by_example=True,
                          restart_prob=config.posterior.restart_prob),)
    fresh = FromBase(config.posterior.first_states(prior))
    model = EnergyModel(
        prior=prior, likelihood=likelihood, parts=parts, banks=bank,
        objectives=objectives, seed=seed,
        roles={
            "positive": sampler(config.posterior, *bank or (fresh,)),
            "inference": sampler(
                config.posterior, fresh, config.inference_steps),
            # Without an energy, a prior sample is a chain of 0 moves.
            "generation": ShortRun(FromBase(prior), Langevin(1.0), 0)})
    return compiled(model, dict.fromkeys(parts, config.generator_optimizer),
                    data, batch_size)


def _layers(config: SRIConfig, seed: int) -> TopDownGaussian:
    """The Gaussian layers above the generator."""
    width = config.latent_dim
    return TopDownGaussian(
        [VectorMLP(width, width, config.layer_hidden_units, num_outputs=2,
                   seed=rng.named(seed, "layer", layer))
         for layer in range(config.num_layers - 1)], width)
