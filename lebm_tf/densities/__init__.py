"""Distributions, and the targets made of them."""

from lebm_tf.densities.energy_prior import EnergyPrior
from lebm_tf.densities.gaussian import (
    ConditionalGaussian, StandardNormal, log_normal)
from lebm_tf.densities.hierarchical import TopDownGaussian
from lebm_tf.densities.likelihood import GaussianLikelihood
from lebm_tf.densities.targets import posterior_target, prior_target, tempered

__all__ = ["ConditionalGaussian", "EnergyPrior", "GaussianLikelihood",
           "StandardNormal", "TopDownGaussian", "log_normal",
           "posterior_target", "prior_target", "tempered"]
