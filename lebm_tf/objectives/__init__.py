"""Losses: small functions of (model, draws), grouped by who learns."""

from lebm_tf.objectives.annealing import Annealed
from lebm_tf.objectives.contrastive import (
    energy_contrast, energy_magnitude, prior_contrast)
from lebm_tf.objectives.objective import Draws, Objective, Term
from lebm_tf.objectives.reconstruction import (
    dropped_negative_log_likelihood, negative_log_likelihood,
    negative_log_prior, squared_error)
from lebm_tf.objectives.regularization import (
    gradient_penalty, latent_penalty, weight_penalty)
from lebm_tf.objectives.teaching import (
    attribute_negative_log_likelihood, encoder_teaching)
from lebm_tf.objectives.variational import (
    FreeBits, FreeNats, SecondBound, encoded_energy, gaussian_kl, kl_to_prior)

__all__ = ["Annealed", "Draws", "FreeBits", "FreeNats", "Objective",
           "SecondBound", "Term", "attribute_negative_log_likelihood",
           "dropped_negative_log_likelihood", "encoded_energy",
           "encoder_teaching", "energy_contrast", "energy_magnitude",
           "gaussian_kl", "gradient_penalty", "kl_to_prior", "latent_penalty",
           "negative_log_likelihood", "negative_log_prior", "prior_contrast",
           "squared_error", "weight_penalty"]
