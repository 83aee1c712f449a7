"""The model that every family assembles, and how it is trained and used."""

from lebm_tf.models.energy_model import EnergyModel
from lebm_tf.models.inference import Samples, Score, Transition
from lebm_tf.models.optimization import Adam, OptimizerConfig, learning_rate

__all__ = ["Adam", "EnergyModel", "OptimizerConfig", "Samples", "Score",
           "Transition", "learning_rate"]
