"""Densities: bases, priors, likelihoods, encoders and the targets built from
them."""

from lebm_tf.densities.attribute import GaussianAttribute
from lebm_tf.densities.contracts import Base, Encoder, Likelihood, Prior
from lebm_tf.densities.decoding import DecodingConfig
from lebm_tf.densities.diffusion import DiffusionEncoder, Unconditional
from lebm_tf.densities.energy_prior import EnergyPrior
from lebm_tf.densities.fitted import Fitted
from lebm_tf.densities.flat import Flat
from lebm_tf.densities.flow import Flow, LearnedFlow
from lebm_tf.densities.gaussian import (
    ConditionalGaussian, PointEncoder, StandardNormal, kl_to_standard_normal,
    log_normal)
from lebm_tf.densities.hierarchical import TopDownGaussian
from lebm_tf.densities.labelled_vae import ClassifiedNormal, LabelledVAE
from lebm_tf.densities.ladder_prior import LadderPrior
from lebm_tf.densities.latent_vae import LatentVAE
from lebm_tf.densities.layers import (
    BottomUpGaussian, LayeredGaussian, LayeredNormal)
from lebm_tf.densities.level_prior import LevelPrior
from lebm_tf.densities.level_proposal import LevelProposal
from lebm_tf.densities.likelihood import GaussianLikelihood
from lebm_tf.densities.mixture import GaussianMixture
from lebm_tf.densities.noise_encoder import NoiseEncoder
from lebm_tf.densities.noise_levels import NoiseLevels
from lebm_tf.densities.sequence import SequenceLikelihood
from lebm_tf.densities.symbol_prior import SymbolPrior
from lebm_tf.densities.targets import (
    LadderTarget, Target, joint_target, posterior_target, prior_target,
    tempered)
from lebm_tf.densities.transport import (
    FlowTransport, GeneratorTransport, Transport, TransportedEnergy)
from lebm_tf.densities.unigram import UnigramLikelihood

__all__ = ["Base", "BottomUpGaussian", "ClassifiedNormal",
           "ConditionalGaussian", "DecodingConfig", "DiffusionEncoder",
           "Encoder", "EnergyPrior", "Fitted", "Flat", "Flow", "FlowTransport",
           "GaussianAttribute", "GaussianLikelihood", "GaussianMixture",
           "GeneratorTransport", "LabelledVAE", "LadderPrior", "LadderTarget",
           "LatentVAE", "LayeredGaussian", "LayeredNormal", "LearnedFlow",
           "LevelPrior", "LevelProposal", "Likelihood", "NoiseEncoder",
           "NoiseLevels", "PointEncoder", "Prior", "SequenceLikelihood",
           "StandardNormal", "SymbolPrior", "Target", "TopDownGaussian",
           "Transport", "TransportedEnergy", "Unconditional",
           "UnigramLikelihood", "joint_target", "kl_to_standard_normal",
           "log_normal", "posterior_target", "prior_target", "tempered"]
