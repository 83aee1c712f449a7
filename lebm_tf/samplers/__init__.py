"""Samplers: chain initializers, chains and learned samplers."""

from lebm_tf.samplers.chain_bank import ChainBank
from lebm_tf.samplers.diffused import Diffused, LowestNoise
from lebm_tf.samplers.draws import Draw, Draws
from lebm_tf.samplers.encoded import Encoded
from lebm_tf.samplers.flowed import Flowed
from lebm_tf.samplers.from_data import FromData
from lebm_tf.samplers.initializer import (
    Beside, FromBase, FromEncoder, FromNoise, FromRole, Initializer, NormalLike,
    Proposed)
from lebm_tf.samplers.ladder import Ladder
from lebm_tf.samplers.mapped import Mapped
from lebm_tf.samplers.sampler import Sampler
from lebm_tf.samplers.short_run import ShortRun
from lebm_tf.samplers.step_size import StepSizeAdaptation

__all__ = ["Beside", "ChainBank", "Diffused", "Draw", "Draws", "Encoded",
           "Flowed", "FromBase", "FromData", "FromEncoder", "FromNoise",
           "FromRole", "Initializer", "Ladder", "LowestNoise", "Mapped",
           "NormalLike", "Proposed", "Sampler", "ShortRun",
           "StepSizeAdaptation"]
