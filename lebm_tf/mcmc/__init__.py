"""Markov chain Monte Carlo: callables and tensors, no models."""

from lebm_tf.mcmc.chain import run_chain, trace_chain
from lebm_tf.mcmc.diagnostics import displacement, effective_sample_size, r_hat
from lebm_tf.mcmc.exact import Hmc, Mala, Nuts
from lebm_tf.mcmc.kernel import Kernel, State, value_and_gradient
from lebm_tf.mcmc.langevin import Langevin

__all__ = [
    "Hmc", "Kernel", "Langevin", "Mala", "Nuts", "State", "displacement",
    "effective_sample_size", "r_hat", "run_chain", "trace_chain",
    "value_and_gradient"]
