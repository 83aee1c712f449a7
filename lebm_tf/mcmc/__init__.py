"""Markov chain Monte Carlo on functions and tensors, independent of models."""

from lebm_tf.mcmc.adaptation import Tuned, tune
from lebm_tf.mcmc.alternating import Alternating
from lebm_tf.mcmc.chain import run_chain, trace_chain
from lebm_tf.mcmc.diagnostics import displacement, effective_sample_size, r_hat
from lebm_tf.mcmc.exact import Hmc, Mala, Nuts
from lebm_tf.mcmc.gradient_free import CrankNicolson, Independence
from lebm_tf.mcmc.in_turn import InTurn
from lebm_tf.mcmc.kernel import Kernel, State, value_and_gradient
from lebm_tf.mcmc.langevin import Langevin
from lebm_tf.mcmc.ranks import (
    bulk_effective_sample_size, rank_r_hat, split_r_hat,
    tail_effective_sample_size)
from lebm_tf.mcmc.tempering import Tempering, swap_rates

__all__ = [
    "Alternating", "CrankNicolson", "Hmc", "InTurn", "Independence", "Kernel",
    "Langevin", "Mala", "Nuts", "State", "Tempering", "Tuned",
    "bulk_effective_sample_size", "displacement", "effective_sample_size",
    "r_hat", "rank_r_hat", "run_chain", "split_r_hat", "swap_rates",
    "tail_effective_sample_size", "trace_chain", "tune",
    "value_and_gradient"]
