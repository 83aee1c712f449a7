"""Trained networks of another run, as the backbone of a new one."""

import keras

from lebm_tf.datasets import DataSet
from lebm_tf.errors import InputError
from lebm_tf.training import loading, workdir as workdirs


def check(path: str, family: str, other, config) -> None:
    """Checks before training that `networks` would accept a backbone.

    Args:
        path: Backbone, a work directory or a flagfile; named in messages.
        family: Family of the backbone.
        other: Configuration of the backbone, a `FamilyConfig`.
        config: Configuration of the run that uses it, a `FamilyConfig`.

    Raises:
        InputError: If the run takes no backbone, or if the family or
            `latent_dim` of the backbone does not fit.
    """
    if not config.backbones:
        raise InputError(f"--backbone requires --stage=prior, got {path!r}.")
    if family not in config.backbones:
        raise InputError(
            "--backbone must belong to one of the families "
            f"{', '.join(config.backbones)}, got {family} in {path}.")
    if family not in ("flow", "ladder_vae") and (
            other.latent_dim != config.latent_dim):
        raise InputError(
            f"--backbone must have latent_dim {config.latent_dim}, got "
            f"{other.latent_dim} in {path}.")


def networks(workdir: str, config, data: DataSet
             ) -> dict[str, keras.layers.Layer]:
    """Loads the networks that `families.build` takes from a trained run.

    Args:
        workdir: Work directory of the trained run.
        config: Configuration of the family that uses them, a `FamilyConfig`.
        data: Training data of the new run.

    Returns:
        Name -> layer: the generator and, where `config` asks for it, the
        encoder; the transport of a flow; the hierarchy of a ladder VAE.

    Raises:
        InputError: As `check`; or if the work directory holds no trained run,
            the image shapes differ, or the run has no encoder.
    """
    resolved = workdirs.read(workdir)
    check(workdir, resolved.run.family, resolved.model, config)
    if data.shape != resolved.data.shape:
        raise InputError("--backbone must be trained on images of shape "
                         f"{data.shape}, got {resolved.data.shape} in "
                         f"{workdir}.")
    model = loading.load(workdir)
    if resolved.run.family == "flow":
        return {"transport": model.likelihood}
    if resolved.run.family == "ladder_vae":
        return {"backbone": model.likelihood.generator.hierarchy}
    found = {"generator": model.likelihood.generator}
    asked = "--posterior_start=encoder" if config.learns_prior_alone else (
        "--transport=generator")
    if not config.learns_prior_alone or config.posterior.start == "encoder":
        if model.encoder is None:
            raise InputError(f"{asked} needs a --backbone with an encoder, got "
                             f"none in {workdir}.")
        found["encoder"] = model.encoder
    return found
