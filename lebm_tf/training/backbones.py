"""Generator and encoder of a trained run, for a prior that learns alone."""

import keras

from lebm_tf.datasets import DataSet
from lebm_tf.errors import InputError
from lebm_tf.training import workdir as workdirs

FAMILIES = ("image", "vae", "rae")


def networks(workdir: str, config, data: DataSet
             ) -> dict[str, keras.layers.Layer]:
    """The trained networks, as `families.build` takes them.

    Args:
        workdir: Of the run.
        config: Configuration of the family that takes them, a `FamilyConfig`.
        data: What it learns from.

    Returns:
        The generator, and with posterior.start=encoder the encoder.

    Raises:
        InputError: If there is no trained run of such a family, or it is of
            other pictures or another width of latents, or has no encoder.
    """
    if not config.learns_prior_alone:
        raise InputError("--backbone must be left out without --stage=prior, "
                         f"got {workdir!r}.")
    resolved = workdirs.read(workdir)
    if resolved.run.family not in FAMILIES:
        raise InputError(
            "--backbone must be a run of one of the families "
            f"{', '.join(FAMILIES)}, got {resolved.run.family} in {workdir}.")
    for what, needed, found in (
            ("of pictures of shape", data.shape, resolved.data.shape),
            ("of the latent_dim", config.latent_dim,
             resolved.model.latent_dim)):
        if needed != found:
            raise InputError(f"--backbone must be {what} {needed}, got {found} "
                             f"in {workdir}.")
    model = workdirs.load(workdir)
    found = {"generator": model.likelihood.generator}
    if config.posterior.start == "encoder":
        if model.encoder is None:
            raise InputError("--posterior_start=encoder needs a --backbone "
                             f"with an encoder, got none in {workdir}.")
        found["encoder"] = model.encoder
    return found
