"""The baseline M1+M2: a semi-supervised variational autoencoder of codes.

Kingma et al. 2014, arXiv:1406.5298. M1 is a variational autoencoder of the
data, M2 one of its codes z and their labels. Here both are trained at the same
time, without gradients from M2 to M1, as if trained one after the other.
"""

import dataclasses

import keras

from lebm_tf.assembly.components import (
    DataSpec, EncoderConfig, GeneratorConfig, compiled)
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.assembly.probes import of_encoder, of_generator
from lebm_tf.densities import (
    ClassifiedNormal, ConditionalGaussian, GaussianLikelihood, LabelledVAE)
from lebm_tf.kinds import IMAGE
from lebm_tf.mcmc import Langevin, rng
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.networks import VectorMLP
from lebm_tf.objectives import (
    LabelledBound, Objective, SymbolCrossEntropy, UnlabelledBound, encoded_draw,
    gaussian_kl, negative_log_likelihood)
from lebm_tf.ranges import NonNegativeFloat, PositiveFloat, PositiveInt
from lebm_tf.samplers import Encoded, FromBase, ShortRun


@dataclasses.dataclass(frozen=True)
class M1M2Config(FamilyConfig):
    """M1+M2 for images.

    Attributes:
        latent_dim: Dimension of z and of the latent vector of M2.
        likelihood_scale: Standard deviation of a pixel in [-1, 1].
        second_hidden_units: Widths of the hidden layers of the networks of M2.
        labelled_weight: Weight of the cross-entropy of the labels, relative to
            the bound per example; the authors' 0.1.
        generator: The generator.
        image_encoder: The encoder.
        generator_optimizer: Optimizer of the generator.
        encoder_optimizer: Optimizer of the encoder.
        second_optimizer: Optimizer of M2.
    """
    latent_dim: PositiveInt = 50
    likelihood_scale: PositiveFloat = 0.3
    second_hidden_units: tuple[PositiveInt, ...] = (500,)
    labelled_weight: NonNegativeFloat = 0.1
    generator: GeneratorConfig = GeneratorConfig()
    image_encoder: EncoderConfig = EncoderConfig()
    generator_optimizer: OptimizerConfig = OptimizerConfig(beta_1=0.9)
    encoder_optimizer: OptimizerConfig = OptimizerConfig(beta_1=0.9)
    second_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-3, beta_1=0.9)

    kinds = (IMAGE,)
    learns_from_labels = True

    def probes(self, data):
        return {"generator": of_generator(self.latent_dim, data),
                "encoder": of_encoder(self.latent_dim, data)}


Config = M1M2Config
EVALUATORS = ("symbols",)


def build(config: M1M2Config, data: DataSpec, *, batch_size: int = 100,
          seed: int = 0, generator: keras.layers.Layer | None = None,
          encoder: keras.layers.Layer | None = None) -> EnergyModel:
    """Assembles and compiles the model; arguments as in `image.build`.

    Raises:
        ValueError: If num_labels is 0.
    """
    seeds = rng.seeds(seed)
    if not data.num_labels:
        raise ValueError("the family m1_m2 needs num_labels >= 1, got 0.")
    width, units = config.latent_dim, config.second_hidden_units
    symbols = data.num_classes
    likelihood = GaussianLikelihood(
        generator or config.generator.make(
            width, data.shape, seeds("generator")),
        config.likelihood_scale)
    encoder = ConditionalGaussian(encoder or config.image_encoder.beside(
        config.generator).make(width, data.shape, seeds("encoder")))
    second = LabelledVAE(
        width, symbols,
        VectorMLP(width + symbols, width, units,
                  seed=seeds("second_generator")),
        VectorMLP(width + symbols, width, units, num_outputs=2,
                  seed=seeds("second_encoder")),
        VectorMLP(width, symbols, units, seed=seeds("classifier")))
    model = EnergyModel(
        prior=ClassifiedNormal(second), likelihood=likelihood,
        encoder=encoder, seed=seed,
        parts={"generator": likelihood, "encoder": encoder, "second": second},
        objectives={
            "bound": Objective(("generator", "encoder"), {
                "nll": negative_log_likelihood, "kl": gaussian_kl}),
            "second": Objective(("second",), {
                "unlabelled": UnlabelledBound(second),
                "labelled": LabelledBound(second),
                "classification": SymbolCrossEntropy(encoded_draw)}, {
                    "labelled": data.num_labels / data.num_train,
                    "classification": config.labelled_weight})},
        roles={"positive": Encoded(encoder),
               "generation": ShortRun(FromBase(second), Langevin(1.0), 0)})
    return compiled(model, {part: vars(config)[f"{part}_optimizer"]
                            for part in model.parts}, data, batch_size)
