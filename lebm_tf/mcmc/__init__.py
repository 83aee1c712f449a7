"""Markov chain Monte Carlo on functions and tensors, independent of models.

Names are imported on first use, so that `python -m lebm_tf.mcmc` can check its
flags before it loads TensorFlow.
"""

import importlib

_WHERE = {
    "adaptation": ("Tuned", "tune"), "alternating": ("Alternating",),
    "chain": ("run_chain", "trace_chain"),
    "diagnostics": ("displacement", "effective_sample_size", "r_hat"),
    "exact": ("Hmc", "Mala", "Nuts"),
    "gradient_free": ("CrankNicolson", "Independence"),
    "in_turn": ("InTurn",),
    "kernel": ("Kernel", "State", "value_and_gradient"),
    "langevin": ("Langevin",),
    "ranks": ("bulk_effective_sample_size", "rank_r_hat", "split_r_hat",
              "tail_effective_sample_size"),
    "tempering": ("Tempering", "swap_rates")}

__all__ = sorted(name for names in _WHERE.values() for name in names)


def __getattr__(name: str):
    for module, names in _WHERE.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"),
                           name)
    raise AttributeError(f"lebm_tf.mcmc has no {name!r}; it has "
                         f"{', '.join(__all__)}.")


def __dir__():
    return __all__
