"""Tests the blocks of a saved model in a separate process.

TensorFlow decides when it is loaded whether it uses oneDNN, so its other
kernels can be tested in another process only.
"""

import json
import os
import subprocess
import sys
from typing import Mapping, Sequence

import numpy as np
import tensorflow as tf

from lebm_tf import processor
from lebm_tf.serving.blocks import Choice, choose


def run(folder: str, requests: Mapping[str, Mapping[str, np.ndarray]],
        limit: int, sizes: Sequence[int], place: str) -> Choice:
    """The sizes that pass with the kernels that this process does not use.

    Args:
        folder: A SavedModel written by `Servable.save`.
        requests: Signature -> request of a few rows, all different.
        limit: Maximum number of rows per call.
        sizes: Sizes of blocks, in ascending order.
        place: An empty folder.

    Raises:
        RuntimeError: If the other process fails.
    """
    file = os.path.join(place, "requests.json")
    with open(file, "w", encoding="utf-8") as opened:
        json.dump({name: {key: [value.dtype.name, _to_text(value)]
                          for key, value in request.items()}
                   for name, request in requests.items()}, opened)
    other = "0" if processor.onednn_is_on() else "1"
    done = subprocess.run(
        [sys.executable, "-m", __name__, folder, file, str(limit),
         *map(str, sizes)], capture_output=True, text=True, check=False,
        env={**os.environ, processor.ONEDNN: other,
             "TF_CPP_MIN_LOG_LEVEL": "3"})
    if done.returncode:
        raise RuntimeError("testing the blocks in another process failed: "
                           + done.stderr[-2_000:])
    found, refused = json.loads(done.stdout.splitlines()[-1])
    return Choice(tuple(found), {int(size): name
                                 for size, name in refused.items()})


def _to_text(value):
    return tf.io.encode_base64(tf.io.serialize_tensor(
        tf.constant(value))).numpy().decode()


def _from_text(name, text):
    dtype = tf.string if name == "object" else tf.as_dtype(name)
    return tf.io.parse_tensor(tf.io.decode_base64(text), dtype).numpy()


def main(folder: str, file: str, limit: str, *sizes: str) -> None:
    """Writes the sizes that pass, and the signatures that reject the others, as
    JSON."""
    with open(file, encoding="utf-8") as opened:
        requests = {name: {key: _from_text(*value)
                           for key, value in request.items()}
                    for name, request in json.load(opened).items()}
    model = tf.saved_model.load(folder)
    found = choose(model.blocks, {name: model.signatures[name]
                                  for name in requests}, requests, int(limit),
                   [int(size) for size in sizes],
                   [int(size) for size in sizes[1:]], worth=None)
    sys.stdout.write(json.dumps([found.sizes, found.refused]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
