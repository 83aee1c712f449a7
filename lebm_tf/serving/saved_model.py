"""A trained model as a numbered SavedModel, ready for TensorFlow Serving."""

import os
import shutil
import tempfile

import tensorflow as tf

from lebm_tf.errors import InputError
from lebm_tf.models import EnergyModel
from lebm_tf.serving.signatures import Servable


def export_model(model: EnergyModel, output: str, shape: tuple[int, ...]
                 ) -> str:
    """Writes OUTPUT/N, with N the next free number; whole or not at all.

    Args:
        model: A trained model.
        output: Folder of the versions, as a server watches it.
        shape: Shape of one observation.

    Returns:
        The folder of the new version.

    Raises:
        InputError: If the model can't be served or the folder not written.
    """
    servable = Servable(model, shape)
    os.makedirs(output, exist_ok=True)
    # A server ignores names that are not numbers.
    temporary = tempfile.mkdtemp(prefix=".part-", dir=output)
    try:
        tf.saved_model.save(servable, temporary, servable.signatures())
        os.chmod(temporary, 0o755)
        version = 1 + max((int(name) for name in os.listdir(output)
                           if name.isdigit()), default=0)
        path = os.path.join(output, str(version))
        os.rename(temporary, path)
    except tf.errors.OpError as error:
        raise InputError(f"a model could not be written to {output}: "
                         f"{' '.join(str(error).split())[:300]}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return path
