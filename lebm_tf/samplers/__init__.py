"""How states are drawn: where chains start, and for how long they run."""

from lebm_tf.samplers.chain_bank import ChainBank
from lebm_tf.samplers.initializer import (
    FromBase, FromBatch, FromEncoder, Initializer)
from lebm_tf.samplers.short_run import Draw, Encoded, ShortRun

__all__ = ["ChainBank", "Draw", "Encoded", "FromBase", "FromBatch",
           "FromEncoder",
           "Initializer", "ShortRun"]
