"""What a served model with symbols answers besides."""

from typing import Callable

import tensorflow as tf

from lebm_tf.serving.rows import Field


def signatures(model, seed: dict, x: dict, sampled: dict,
               sample: Callable) -> dict[str, tuple]:
    """Name -> (meaning, inputs, outputs, function), as of `Servable`.

    Args:
        model: An `EnergyModel`; if its prior has no symbols, nothing is made.
        seed: Input of a seed.
        x: Input of an observation.
        sampled: Outputs of its draws.
        sample: `Servable.sample`.
    """
    if not model.prior.num_symbols:
        return {}
    num_symbols = model.prior.num_symbols
    label = {"label": Field(
        tf.int32, (), f"A symbol, from 0 to {num_symbols - 1}.", 0,
        num_symbols - 1, example=0)}
    probs = {"probs": Field(
        tf.float32, (num_symbols,), "p(y | x) of every symbol.")}
    made = {"sample_label": (
        "Draws of p(z | y), and g of them.", {**seed, **label},
        sampled, lambda seed, label: sample(seed, condition=label))}
    if model.inference.is_reparameterized:
        made["classify"] = (
            "p(y | x) at the mean of q(z | x).", x, probs,
            lambda **x: {"probs": tf.exp(model.prior.symbol_log_probs(
                model.encoder.parameters(*x.values())[0]))})
    return made
