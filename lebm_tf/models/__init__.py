"""The model that every family assembles, and how it is trained and used."""

from lebm_tf.models.answers import Samples, Score
from lebm_tf.models.energy_model import EnergyModel
from lebm_tf.models.inference import Transition
from lebm_tf.models.optimization import Adam, OptimizerConfig, learning_rate

__all__ = ["Adam", "EnergyModel", "OptimizerConfig", "Samples", "Score",
           "Transition", "learning_rate"]
