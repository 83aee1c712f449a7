"""Objectives of a prior of symbols and vectors, and their order."""

from typing import Any

from lebm_tf.assembly.data import DataSpec
from lebm_tf.kinds import IMAGE, VECTOR
from lebm_tf.models import Turn
from lebm_tf.objectives import (
    Annealed, MaskedKL, Objective, SymbolCrossEntropy, drawn_code,
    dropped_negative_log_likelihood, encoded_energy, encoded_mean,
    encoded_mean_logits, encoded_sample, encoder_teaching, energy_contrast,
    mean_logit_contrast, negative_log_likelihood, symbol_information)
from lebm_tf.objectives.annealing import Switched


def turns(config: Any, data: DataSpec) -> tuple[Turn, ...]:
    """Turns of a step: the three of the authors' program, or () for one.

    Args:
        config: A `SymbolVectorConfig`.
        data: Specification of the data.
    """
    if not config.updates_in_turns:
        return ()
    information = ("information",) if config.information_weight else ()
    labels = (Turn(("energy", "encoder"), ("labels",), needs_states=False),
              ) if data.num_labels else ()
    return (*labels,
            Turn(("generator", "encoder"), ("bound", *information)),
            Turn(("energy",), ("energy", *information), keeps_states=True))


def objectives(config: Any, data: DataSpec) -> dict[str, Objective]:
    """Objectives of every part; arguments as in `turns`."""
    found, amortized = {}, config.is_amortized
    code = drawn_code if not amortized else (
        encoded_sample if config.labels_of_draws else encoded_mean)
    if data.num_labels:
        found["labels"] = Objective(
            ("energy", "encoder") if amortized else ("energy",),
            {"classification": SymbolCrossEntropy(code)},
            {"classification": config.labelled_weight})
    if config.labels_only:
        return found
    schedule = {"hold_steps": config.kl_hold_steps,
                "warmup_steps": config.kl_warmup_steps,
                "cycle_steps": config.kl_cycle_steps}
    contrast, positive = (mean_logit_contrast, encoded_mean_logits) if (
        config.mean_logits) else (energy_contrast, encoded_energy)
    information, weights = symbol_information, {}
    if config.energy_annealed:
        contrast = Annealed(contrast, **schedule)
        information = Switched(symbol_information, **schedule)
        weights = {"energy": config.kl_weight}
    found["energy"] = Objective(("energy",), {"energy": contrast}, weights)
    nll = {"nll": negative_log_likelihood if data.kind in (
        IMAGE, VECTOR) else dropped_negative_log_likelihood}
    if amortized:
        def annealed(term):
            return Annealed(term, **schedule)
        found["bound"] = Objective(("generator", "encoder"), {
            **nll, "kl": annealed(MaskedKL(
                config.kl_threshold, config.base_scale)),
            "encoded_energy": annealed(positive)}, {
                "kl": config.kl_weight,
                "encoded_energy": config.kl_weight})
    else:
        found["generator"] = Objective(("generator",), nll)
        if config.posterior.start == "encoder":
            found["encoder"] = Objective(
                ("encoder",), {"encoder": encoder_teaching})
    if config.information_weight:
        found["information"] = Objective(
            ("energy", "encoder") if amortized else ("energy",),
            {"information": information},
            {"information": -config.information_weight})
    return found
