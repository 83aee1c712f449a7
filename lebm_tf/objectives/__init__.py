"""Losses: functions of (model, draws), grouped by the part they train."""

from lebm_tf.objectives.annealing import Annealed
from lebm_tf.objectives.contrastive import (
    EnergyContrast, ImportanceContrast, LevelContrast, LevelGap,
    energy_contrast, energy_magnitude, once_fitted, prior_contrast,
    with_energies)
from lebm_tf.objectives.denoising import DenoisingError
from lebm_tf.objectives.forecasting import (
    consistency_error, future_error, plan_error, with_forecast)
from lebm_tf.objectives.ladder import (
    DiffusedEnergy, HighestNormal, LadderContrast, NegativeEntropy)
from lebm_tf.objectives.objective import Objective, Term
from lebm_tf.objectives.reconstruction import (
    dropped_negative_log_likelihood, negative_log_likelihood,
    negative_log_prior, squared_error)
from lebm_tf.objectives.regularization import (
    gradient_penalty, latent_penalty, weight_penalty)
from lebm_tf.objectives.roles import OnRoles
from lebm_tf.objectives.symbols import (
    ClusterCrossEntropy, LabelledBound, SymbolCrossEntropy, UnlabelledBound,
    drawn_code, encoded_draw, encoded_mean, encoded_mean_logits, encoded_noised,
    encoded_sample, mean_logit_contrast, symbol_information)
from lebm_tf.objectives.teaching import (
    CycleError, FlowTeaching, PictureTeaching, ProposalTeaching,
    attribute_negative_log_likelihood, encoder_teaching)
from lebm_tf.objectives.variational import (
    FlowDivergence, FreeBits, FreeNats, LayeredKL, MaskedKL, SecondBound,
    encoded_energy, gaussian_kl, kl_to_prior, layered_gaussian_kl,
    summed_gaussian_kl)

__all__ = ["Annealed", "ClusterCrossEntropy", "CycleError", "DenoisingError",
           "DiffusedEnergy", "EnergyContrast", "FlowDivergence",
           "FlowTeaching", "FreeBits", "FreeNats", "HighestNormal",
           "ImportanceContrast", "LabelledBound", "LadderContrast",
           "LayeredKL", "LevelContrast", "LevelGap", "MaskedKL",
           "NegativeEntropy", "Objective", "OnRoles", "PictureTeaching",
           "ProposalTeaching", "SecondBound", "SymbolCrossEntropy", "Term",
           "UnlabelledBound", "attribute_negative_log_likelihood",
           "consistency_error", "drawn_code",
           "dropped_negative_log_likelihood", "encoded_draw", "encoded_energy",
           "encoded_mean", "encoded_mean_logits", "encoded_noised",
           "encoded_sample", "encoder_teaching",
           "energy_contrast", "energy_magnitude", "future_error",
           "gaussian_kl", "gradient_penalty", "kl_to_prior", "latent_penalty",
           "layered_gaussian_kl", "mean_logit_contrast",
           "negative_log_likelihood",
           "negative_log_prior", "once_fitted", "plan_error", "prior_contrast",
           "squared_error", "summed_gaussian_kl", "symbol_information",
           "weight_penalty", "with_energies", "with_forecast"]
