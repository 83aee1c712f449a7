"""Export of a trained model as a numbered SavedModel for TensorFlow Serving."""

import contextlib
import errno
import os
import shutil
import tempfile
from typing import Any, Iterator, Mapping

import keras
import numpy as np
import tensorflow as tf

from lebm_tf.datasets import Vocabulary
from lebm_tf.errors import InputError
from lebm_tf.models import EnergyModel
from lebm_tf.serving import blocks, model_card, requests, texts, trial
from lebm_tf.serving.config import ServingConfig
from lebm_tf.serving.path_signatures import PathServable
from lebm_tf.serving.signatures import answering_layers, weights_of
from lebm_tf.serving.translation_signatures import TranslationServable


def export_model(model: EnergyModel, output: str, shape: tuple[int, ...],
                 config: ServingConfig = ServingConfig(),
                 about: Mapping[str, Mapping[str, Any]] | None = None,
                 vocabulary: Vocabulary | None = None) -> str:
    """Writes OUTPUT/N, with N the next free number, atomically.

    The networks compute in float32, whatever the precision of training. The
    folder also contains MODEL_CARD.md and, in assets.extra, metadata.json, a
    request for every signature and the requests that a server replays at its
    start.

    Args:
        model: A trained model.
        output: Folder of the versions, as watched by a server; its name is used
            as that of the model.
        shape: Shape of one observation.
        config: Settings and limits.
        about: Title -> name -> value for the model card.
        vocabulary: Vocabulary of a model of sequences, whose inputs and outputs
            are then texts.

    Returns:
        The folder of the new version.

    Raises:
        InputError: If the model cannot be served or the folder cannot be
            written.
    """
    name = os.path.basename(os.path.abspath(output))
    with version(model, output) as (folder, publish):
        servable = _servable(model, shape, config, vocabulary)
        servable.save(folder)
        _describe(servable, folder, name, about or {})
        return publish()


def _servable(model, shape, config, vocabulary):
    """The model with the signatures of its kind."""
    if model.context is not None:
        return PathServable(model, shape, config)
    if "translate_ab" in model.roles:
        return TranslationServable(model, shape, config)
    return texts.of(model, shape, config, vocabulary)


@contextlib.contextmanager
def version(model: EnergyModel, output: str) -> Iterator[tuple]:
    """Provides a folder for a new version, and a function that publishes it
    under its number.

    Within the context, the networks compute in float32. An unpublished folder
    is removed.

    Raises:
        InputError: If a weight is not finite or a file cannot be written.
    """
    _check_finite(model)
    os.makedirs(output, exist_ok=True)
    # A server ignores names that are not numbers.
    temporary = tempfile.mkdtemp(prefix=".part-", dir=output)
    os.chmod(temporary, 0o755)
    try:
        with full_precision(model):
            yield temporary, lambda: _publish(temporary, output)
    except tf.errors.OpError as error:
        raise InputError(f"a model could not be written to {output}: "
                         f"{' '.join(str(error).split())[:300]}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def full_precision(model: EnergyModel) -> Iterator[None]:
    """Makes the networks compute in float32 within the context.

    Draws of many steps accumulate errors that do not matter in training: in
    bfloat16, log p(x, z) is off by 1e-2.
    """
    # Keras offers no public walk through layers within layers.
    layers = [inner for layer in answering_layers(model)
              for inner in layer._flatten_layers()]
    before = [(layer, layer.dtype_policy) for layer in layers
              if layer.compute_dtype in ("bfloat16", "float16")]
    try:
        for layer, _ in before:
            layer.dtype_policy = keras.DTypePolicy("float32")
        yield
    finally:
        for layer, policy in before:
            layer.dtype_policy = policy


def _check_finite(model):
    for name, variable in weights_of(model).items():
        if not np.all(np.isfinite(variable.numpy())):
            raise InputError("a model must have finite weights to be "
                             f"exported, got NaN or infinity in {name}.")


def _describe(servable, folder, name, about):
    """Writes the card and requests, and checks the results of rows."""
    config = servable.config
    examples = requests.examples(servable.signatures)
    rows = {}
    if config.check_rows:
        served = tf.saved_model.load(folder)
        chosen = _chosen(servable, served, folder)
        rows = model_card.compare_rows(served.signatures, requests.examples(
            servable.signatures, range(min(
                config.check_rows, config.max_batch))), chosen)
    bodies = {signature: requests.to_json(signature, request)
              for signature, request in examples.items()}
    model_card.write(folder, model_card.metadata(
        name, servable.signatures, config, rows, about), bodies)
    if config.warmup:
        requests.write_warmup(
            os.path.join(folder, model_card.EXTRA), name, examples)


def _chosen(servable, served, folder):
    """The blocks of a saved model in which rows do not depend on their
    position, with the kernels of this process and with TensorFlow's others,
    since it is unknown which ones a server will use."""
    config = servable.config
    if config.row_blocks:
        return blocks.Choice(tuple(config.row_blocks), {})
    few = requests.examples(servable.signatures, range(blocks.NUM_ROWS))
    found = blocks.choose(served.blocks, {
        name: served.signatures[name] for name in few}, few, config.max_batch)
    with tempfile.TemporaryDirectory() as place:
        both = trial.run(folder, few, config.max_batch, found.sizes, place)
    served.blocks.assign(both.sizes)
    if both.sizes != tuple(servable.blocks.numpy()):
        servable.blocks.assign(both.sizes)
        shutil.rmtree(folder)
        servable.save(folder)
    return blocks.Choice(both.sizes, {**found.refused, **both.refused})


def _publish(temporary, output):
    """Moves a finished folder to the next free number, atomically."""
    while True:
        version = 1 + max((int(name) for name in os.listdir(output)
                           if name.isdigit()), default=0)
        path = os.path.join(output, str(version))
        try:
            os.rename(temporary, path)
            return path
        except OSError as error:  # Another export may have taken the number.
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
