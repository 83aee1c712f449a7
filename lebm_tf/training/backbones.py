"""Networks of a trained run, for what learns on top of them."""

import keras

from lebm_tf.datasets import DataSet
from lebm_tf.errors import InputError
from lebm_tf.training import workdir as workdirs


def check(path: str, family: str, other, config) -> None:
    """Finds out before training what `networks` would refuse after it.

    Args:
        path: Of the backbone, a work directory or a flagfile.
        family: Its family.
        other: Its configuration.
        config: That of the run which takes it, a `FamilyConfig`.

    Raises:
        InputError: If the run takes none, or not one of that family or width
            of latents.
    """
    if not config.backbones:
        raise InputError("--backbone must be left out without --stage=prior, "
                         f"got {path!r}.")
    if family not in config.backbones:
        raise InputError(
            "--backbone must be a run of one of the families "
            f"{', '.join(config.backbones)}, got {family} in {path}.")
    if family not in ("flow", "ladder_vae") and (
            other.latent_dim != config.latent_dim):
        raise InputError(
            f"--backbone must be of the latent_dim {config.latent_dim}, got "
            f"{other.latent_dim} in {path}.")


def networks(workdir: str, config, data: DataSet
             ) -> dict[str, keras.layers.Layer]:
    """The trained networks, as `families.build` takes them.

    Args:
        workdir: Of the run.
        config: Configuration of the family that takes them, a `FamilyConfig`.
        data: What it learns from.

    Returns:
        The generator, and where it is asked for the encoder; of a flow, the
        transport; of a ladder VAE, the hierarchy.

    Raises:
        InputError: As `check`, or if there is no trained run, or it is of other
            pictures, or has no encoder.
    """
    resolved = workdirs.read(workdir)
    check(workdir, resolved.run.family, resolved.model, config)
    if data.shape != resolved.data.shape:
        raise InputError(f"--backbone must be of pictures of shape {data.shape}"
                         f", got {resolved.data.shape} in {workdir}.")
    model = workdirs.load(workdir)
    if resolved.run.family == "flow":
        return {"transport": model.likelihood}
    if resolved.run.family == "ladder_vae":
        return {"backbone": model.likelihood.generator.hierarchy}
    found = {"generator": model.likelihood.generator}
    asked = "--posterior_start=encoder" if config.learns_prior_alone else (
        "--transport=generator")
    if not config.learns_prior_alone or config.posterior.start == "encoder":
        if model.encoder is None:
            raise InputError(f"{asked} needs a --backbone "
                             f"with an encoder, got none in {workdir}.")
        found["encoder"] = model.encoder
    return found
