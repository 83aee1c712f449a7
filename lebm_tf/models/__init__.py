"""The energy-based model: its training step, optimizers, roles and inference.
"""

from lebm_tf.models.answers import Samples, Score
from lebm_tf.models.clusters import CodeClusters
from lebm_tf.models.copies import MovingCopy
from lebm_tf.models.energy_model import EnergyModel
from lebm_tf.models.inference import Transition
from lebm_tf.models.optimization import Adam, OptimizerConfig, learning_rate
from lebm_tf.models.roles import TARGETS, Role
from lebm_tf.models.turns import Turn

__all__ = ["Adam", "CodeClusters", "EnergyModel", "MovingCopy",
           "OptimizerConfig", "Role", "Samples", "Score", "TARGETS",
           "Transition", "Turn", "learning_rate"]
