"""Model families: for each, a configuration and a function that builds it."""

import keras

from lebm_tf import precision as precisions
from lebm_tf.assembly import custom
from lebm_tf.assembly.components import (
    BaseConfig, ChainConfig, DataSpec, EncoderConfig, EnergyConfig,
    GeneratorConfig, Recipe)
from lebm_tf.assembly.data import check_kind
from lebm_tf.errors import InputError
from lebm_tf.families import (
    cycle_translation, divergence_triangle, flow, flow_prior, image, ladder_vae,
    latent_diffusion, m1_m2, multilayer, multilayer_two_stage, neural_transport,
    rae, recovery_likelihood, sequence, sri, symbol_vector, trajectory,
    two_stage_vae, vae)
from lebm_tf.models import EnergyModel

FAMILIES = {"image": image, "vae": vae, "two_stage_vae": two_stage_vae,
            "rae": rae, "sri": sri, "sequence": sequence,
            "symbol_vector": symbol_vector, "m1_m2": m1_m2,
            "trajectory": trajectory, "multilayer": multilayer,
            "cycle_translation": cycle_translation,
            "latent_diffusion": latent_diffusion,
            "recovery_likelihood": recovery_likelihood,
            "flow_prior": flow_prior,
            "divergence_triangle": divergence_triangle,
            "flow": flow,
            "neural_transport": neural_transport,
            "ladder_vae": ladder_vae,
            "multilayer_two_stage": multilayer_two_stage}


def build(family: str, config, data: DataSpec, *, batch_size: int = 100,
          seed: int = 0, precision: str | None = None,
          loss_scale: float = 2.0**15, **networks) -> EnergyModel:
    """Builds a compiled model of a family.

    Args:
        family: Key of `FAMILIES`.
        config: Configuration of the family.
        data: Specification of the data: a `DataSpec`, or the data set itself.
        batch_size: Examples per step; learning-rate decay counts in epochs.
        seed: Seed of initial weights and all chains.
        precision: Compute type of the networks: one of `PRECISIONS` or "auto",
            see `precision.resolve`; default: the Keras dtype policy.
        loss_scale: Initial loss scale > 0 of mixed_float16.
        **networks: Layers that replace built-in networks of the family, such as
            `energy`, `generator` or `encoder`.

    Returns:
        A compiled `EnergyModel`.

    Raises:
        InputError: If the family is unknown, the configuration belongs to
            another family, or the model does not fit the data.
    """
    if family not in FAMILIES:
        raise InputError(
            f"family must be one of {', '.join(FAMILIES)}, got {family!r}.")
    module = FAMILIES[family]
    if not isinstance(config, module.Config):
        raise InputError(
            f"the family {family} needs a {module.Config.__name__}, got a "
            f"{type(config).__name__}.")
    spec = data if isinstance(data, DataSpec) else DataSpec.of(data)
    check_kind(family, spec.kind, FAMILIES)
    try:
        precisions.check(precision or "float32", loss_scale)
        with precisions.scope(precision and precisions.resolve(precision)):
            precision = keras.config.dtype_policy().name
            custom.checked(networks, config.probes(spec))
            model = module.build(
                config, spec, batch_size=batch_size, seed=seed, **networks)
        model.set_loss_scale(loss_scale)
    except ValueError as error:
        raise InputError(str(error)) from error
    model.recipe = Recipe(
        family, config, spec, batch_size, seed, precision, loss_scale,
        {name: layer for name, layer in networks.items() if layer is not None})
    return model


__all__ = ["FAMILIES", "BaseConfig", "ChainConfig", "DataSpec",
           "EncoderConfig", "EnergyConfig", "GeneratorConfig", "Recipe",
           "build", "cycle_translation", "divergence_triangle", "flow",
           "flow_prior", "image", "ladder_vae", "latent_diffusion", "m1_m2",
           "multilayer", "multilayer_two_stage", "neural_transport", "rae",
           "recovery_likelihood", "sequence", "sri", "symbol_vector",
           "trajectory", "two_stage_vae", "vae"]
