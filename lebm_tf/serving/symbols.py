"""Further signatures of a served model with symbols."""

from typing import Callable

import tensorflow as tf

from lebm_tf.serving.rows import Field


def signatures(model, seed: dict, x: dict, sampled: dict,
               sample: Callable) -> dict[str, tuple]:
    """Name -> (meaning, inputs, outputs, function), as in `Servable`.

    Args:
        model: An `EnergyModel`; without symbols in its prior, the result is
            empty.
        seed: Input of a seed.
        x: Input of an observation.
        sampled: Outputs of draws.
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
        "Draws z of p(z | y), and g(z).", {**seed, **label},
        sampled, lambda seed, label: sample(seed, condition=label))}
    if model.inference.is_reparameterized:
        made["classify"] = (
            "p(y | x) at the mean of q(z | x).", x, probs,
            lambda **x: {"probs": tf.exp(model.prior.symbol_log_probs(
                model.encoder.parameters(*x.values())[0]))})
    return made
