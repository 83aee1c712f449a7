"""A data set of a user's own, which no file holds: trained on in Python."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import lebm_tf
from lebm_tf import kinds
from lebm_tf.datasets.contract import DataSet

CONFIG = lebm_tf.ImageConfig(
    latent_dim=3, generator=lebm_tf.GeneratorConfig(channels=(8,)),
    energy=lebm_tf.EnergyConfig((5,)), prior=lebm_tf.ChainConfig(2, 0.4),
    posterior=lebm_tf.ChainConfig(2, 0.1))


@dataclasses.dataclass(frozen=True, eq=False)
class Waves(DataSet):
    """Pictures of waves, made when they are asked for."""
    size: int = 8

    kind = kinds.IMAGE
    name = "waves"

    @property
    def shape(self):
        return (self.size, self.size, 1)

    @property
    def x_train(self):
        phase = np.linspace(0, 6, 40)[:, None, None, None]
        place = np.arange(self.size)[None, :, None, None]
        return np.broadcast_to(np.sin(phase + place), (40, *self.shape)
                               ).astype(np.float32)

    @property
    def x_test(self):
        return self.x_train[:4]

    def to_model(self, x):
        return tf.convert_to_tensor(x)

    def describe(self):
        return "40 waves"


def test_it_is_trained_on_kept_and_measured(tmp_path):
    data, path = Waves(), str(tmp_path / "run")
    model = lebm_tf.build("image", CONFIG, data, batch_size=10)
    rows = lebm_tf.fit(model, data, lebm_tf.RunConfig(
        train_steps=2, log_every=1, checkpoint_every=1, workdir=path),
        verbose=False)
    assert [row["step"] for row in rows] == [1, 2]
    loaded = lebm_tf.load(path, data=data)
    np.testing.assert_array_equal(loaded.sample(4).x, model.sample(4).x)
    found = lebm_tf.evaluation.evaluate(
        loaded, lebm_tf.Context(data), ["reconstruction"])
    assert 0 < found["reconstruction/mse"] < 10
    with pytest.raises(lebm_tf.InputError, match="waves must match the "
                                                 "training data of the run"):
        lebm_tf.load(path, data=Waves(size=16))


def test_what_owes_something_is_no_data_set():
    class Half(DataSet):
        kind, name = kinds.IMAGE, "half"

    with pytest.raises(TypeError, match="abstract"):
        Half()
