"""The systems: each a configuration and a function that assembles it."""

from lebm_tf.errors import InputError
from lebm_tf.families import image, vae
from lebm_tf.families.components import (
    ChainConfig, DataSpec, EncoderConfig, EnergyConfig, GeneratorConfig, Recipe)
from lebm_tf.models import EnergyModel

FAMILIES = {"image": image, "vae": vae}


def build(family: str, config, data: DataSpec, *, batch_size: int = 100,
          seed: int = 0, **networks) -> EnergyModel:
    """A compiled model of a family.

    Args:
        family: A name of `FAMILIES`.
        config: The family's configuration.
        data: What the data look like: a `DataSpec`, or the data set itself.
        batch_size: Examples a step; learning rates decay by epochs.
        seed: Of initial weights and of all chains.
        **networks: Layers in place of the built-in `energy`, `generator` or
            `encoder`, whichever the family has.

    Raises:
        InputError: If there is no such family, the configuration is another
            family's, or the model does not fit the data.
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
    try:
        model = module.build(
            config, spec, batch_size=batch_size, seed=seed, **networks)
    except ValueError as error:
        raise InputError(str(error)) from error
    model.recipe = Recipe(family, config, spec, batch_size, seed)
    return model


__all__ = ["FAMILIES", "build", "ChainConfig", "DataSpec", "EncoderConfig",
           "EnergyConfig", "GeneratorConfig", "Recipe", "image", "vae"]
