"""One small model, exported once, that the tests of serving share."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.families import (
    ChainConfig, DataSpec, EnergyConfig, GeneratorConfig, image)
from lebm_tf.serving import Servable, ServingConfig, blocks, export_model

SHAPE = (8, 8, 3)
EXPOSED = ServingConfig(exposed=("num_steps", "temperature"), max_steps=9,
                        num_points=3)


class Exported(NamedTuple):
    """A model, its signatures in this process, and the same reloaded."""
    model: Any
    servable: Servable
    path: str
    served: Any


def build():
    """A model of the image family with weights that make a difference."""
    model = image.build(image.ImageConfig(
        latent_dim=3, energy=EnergyConfig((5,)),
        generator=GeneratorConfig(4, (4,)), prior=ChainConfig(3, 0.4),
        posterior=ChainConfig(2, 0.1)), DataSpec(SHAPE, 12), batch_size=4)
    model.inference_batch = 4
    return model


def pictures(count, seed=0):
    return np.random.default_rng(seed).uniform(
        -1, 1, [count, *SHAPE]).astype(np.float32)


def call(function, **inputs):
    """The answer as arrays."""
    return {name: value.numpy() for name, value in function(
        **{name: tf.constant(value) for name, value in inputs.items()}
    ).items()}


@pytest.fixture(scope="session")
def exported(made_once):
    """With nothing exposed, in blocks that the export chose."""
    model, config = build(), ServingConfig(num_points=3, check_rows=17)

    def export(folder):
        # A fourth of the rows: every_size.py tries all of them.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(blocks, "NUM_ROWS", 8)
            export_model(model, str(folder / "digits"), SHAPE, config, {
                "Training data": {"dataset": "none at all"}})
    path = str(made_once("models", export) / "digits" / "1")
    return Exported(model, Servable(model, SHAPE, config), path,
                    tf.saved_model.load(path).signatures)


@pytest.fixture(scope="session")
def exposed():
    """With the number of steps and the temperature as inputs."""
    model = build()
    return model, Servable(model, SHAPE, EXPOSED)
