"""Keras layers that map tensors to tensors, without densities."""

from lebm_tf.networks.context_energy import ContextEnergy
from lebm_tf.networks.conv_energy import ConvEnergy
from lebm_tf.networks.convolutional import (
    ConvEncoder, DeconvGenerator, check_image_shape)
from lebm_tf.networks.coupling import AffineCouplings
from lebm_tf.networks.denoiser import (
    ContextEncoder, LatentDenoiser, NoiseContext)
from lebm_tf.networks.glow import LatentGlow
from lebm_tf.networks.hierarchy import NoiseDecoder, NoiseEnergy
from lebm_tf.networks.ladder import LadderEncoder, LadderGenerator
from lebm_tf.networks.ladder_vae import LadderNetwork
from lebm_tf.networks.layered import JoinedEnergy, LayerEnergies
from lebm_tf.networks.level_logits import LevelLogits
from lebm_tf.networks.map_energy import MapEnergy
from lebm_tf.networks.mlp import EnergyMLP, FirstLayer, VectorMLP
from lebm_tf.networks.normalization import InstanceNorm
from lebm_tf.networks.picture_glow import PictureGlow
from lebm_tf.networks.recurrent import RecurrentDecoder
from lebm_tf.networks.recurrent_encoder import RecurrentEncoder
from lebm_tf.networks.residual import WideResidualEncoder
from lebm_tf.networks.residual_energy import LevelEnergy, ResidualEnergy
from lebm_tf.networks.residual_proposal import ResidualProposal
from lebm_tf.networks.spectral_norm import SpectralLayer
from lebm_tf.networks.trajectory import (
    Forecast, Forecaster, PlanEncoder, SocialContext)
from lebm_tf.networks.transformer import TransformerDecoder
from lebm_tf.networks.translation import PictureEnergy, ResidualTranslator

__all__ = ["AffineCouplings", "ContextEncoder", "ContextEnergy", "ConvEncoder",
           "ConvEnergy", "DeconvGenerator", "EnergyMLP", "FirstLayer",
           "Forecast", "Forecaster", "InstanceNorm", "JoinedEnergy",
           "LadderEncoder", "LadderGenerator", "LadderNetwork",
           "LatentDenoiser", "LatentGlow", "LayerEnergies", "LevelEnergy",
           "LevelLogits", "MapEnergy", "NoiseContext", "NoiseDecoder",
           "NoiseEnergy", "PictureEnergy", "PictureGlow", "PlanEncoder",
           "RecurrentDecoder", "RecurrentEncoder", "ResidualEnergy",
           "ResidualProposal", "ResidualTranslator", "SocialContext",
           "SpectralLayer", "TransformerDecoder", "VectorMLP",
           "WideResidualEncoder", "check_image_shape"]
