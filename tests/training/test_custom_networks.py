"""A user's own networks: trained, kept, and built again as they were."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import lebm_tf
from lebm_tf import sample
from lebm_tf.configuration import command, fields

CONFIG = lebm_tf.ImageConfig(
    latent_dim=3, generator=lebm_tf.GeneratorConfig(channels=(8,)),
    energy=lebm_tf.EnergyConfig((5,)),
    posterior=lebm_tf.ChainConfig(2, 0.1, start="encoder"),
    prior=lebm_tf.ChainConfig(2, 0.4))


class Unregistered(keras.layers.Layer):
    """A dense layer to any shape."""

    def __init__(self, fan_in, shape, **kwargs):
        super().__init__(**kwargs)
        self.fan_in, self.shape = fan_in, tuple(shape)
        self.dense = keras.layers.Dense(int(np.prod(shape)))
        self.dense.build((None, fan_in))
        self.built = True

    def call(self, x):
        x = self.dense(tf.reshape(x, [-1, self.fan_in]))
        return tf.reshape(x, [-1, *self.shape])

    def get_config(self):
        return {**super().get_config(), "fan_in": self.fan_in,
                "shape": self.shape}


@keras.saving.register_keras_serializable(package="tests")
class Plain(Unregistered):
    """The same, where Keras finds it."""


@keras.saving.register_keras_serializable(package="tests")
class Both(Unregistered):
    """The same, split into (mean, log_scale)."""

    def call(self, x):
        return tuple(tf.split(super().call(x), 2, axis=-1))


@keras.saving.register_keras_serializable(package="tests")
class WithoutConfig(keras.layers.Layer):
    """Keras can't make it again: nothing says what its argument was."""

    def __init__(self, factor):
        super().__init__()
        self.factor, self.built = factor, True
        self.scale = self.add_weight(name="scale", shape=())

    def call(self, z):
        return self.factor * self.scale * tf.reduce_sum(z, -1)


@keras.saving.register_keras_serializable(package="tests")
class Mirrored(lebm_tf.EnergyConfig().make(3, 0).__class__):
    """The built-in energy, of -z: every weight has its shape."""

    def call(self, z):
        return super().call(-z)


@pytest.fixture(scope="module")
def digits():
    return lebm_tf.load_dataset("digits")


def trained(data, path, **networks):
    model = lebm_tf.build("image", CONFIG, data, batch_size=50, **networks)
    before = [v.numpy() for part in model.parts
              for v in model.variables_of(part)]
    lebm_tf.fit(model, data, lebm_tf.RunConfig(
        train_steps=2, workdir=str(path)), verbose=False)
    return model, before


def test_networks_are_trained_kept_and_built_again(digits, tmp_path):
    model, before = trained(
        digits, tmp_path / "run", energy=Plain(3, ()),
        generator=Plain(3, (8, 8, 1)), encoder=Both(64, (6,)))
    after = [v.numpy() for part in model.parts
             for v in model.variables_of(part)]
    assert sum(np.abs(a - b).max() > 0 for a, b in zip(before, after)) >= 5
    loaded = lebm_tf.load(str(tmp_path / "run"))
    assert isinstance(loaded.prior.energy_network, Plain)
    np.testing.assert_array_equal(loaded.sample(5).x, model.sample(5).x)
    given = lebm_tf.load(str(tmp_path / "run"), energy=Plain(3, ()),
                         generator=Plain(3, (8, 8, 1)), encoder=Both(64, (6,)))
    np.testing.assert_array_equal(given.sample(5).x, model.sample(5).x)
    code = command.run(sample.main, "", fields.fields(sample.SampleConfig), [
        "", f"--workdir={tmp_path}/run", "--num_samples=3",
        f"--output={tmp_path}/x.npz"])
    assert not code
    with np.load(tmp_path / "x.npz") as arrays:
        np.testing.assert_array_equal(arrays["z"], model.sample(3).z)


def test_another_network_with_the_same_shapes_is_no_silent_wrong_model(
        digits, tmp_path):
    network = Mirrored(3, (5,), "gelu", 0)
    model, _ = trained(digits, tmp_path / "run", energy=network)
    loaded = lebm_tf.load(str(tmp_path / "run"))
    assert isinstance(loaded.prior.energy_network, Mirrored)
    z = model.sample(5).z
    np.testing.assert_array_equal(loaded.energy(z), model.energy(z))
    with pytest.raises(lebm_tf.InputError, match="network 'energy' must have "
                                                 "the configuration that"):
        lebm_tf.load(str(tmp_path / "run"),
                     energy=CONFIG.energy.make(3, 0))
    with pytest.raises(lebm_tf.InputError, match=r"differs in energy \(one "
                                                 "network there, another"):
        trained(digits, tmp_path / "run")


@pytest.mark.parametrize("network, said", [
    (Unregistered(3, ()), "Unregistered of the module .* which is not "
                          "registered"),
    (WithoutConfig(2.0), "a WithoutConfig, must be serializable by Keras"),
    (keras.Sequential([keras.layers.Lambda(lambda z: z[:, 0])]),
     "got a Lambda, whose code is not stored")])
def test_what_cannot_be_built_again_is_refused_before_training(
        digits, tmp_path, network, said):
    with pytest.raises(lebm_tf.InputError, match=said):
        trained(digits, tmp_path / "run", energy=network)
    assert not (tmp_path / "run" / "config.json").exists()


def test_a_work_directory_runs_no_module_that_it_names(digits, tmp_path):
    """Not even one that lies where Python would find it."""
    trained(digits, tmp_path / "run", energy=Plain(3, ()))
    path = tmp_path / "run" / "config.json"
    saved = json.loads(path.read_text())
    saved["networks"]["energy"].update(
        module="antigravity", class_name="Plain", registered_name="x>Plain")
    path.write_text(json.dumps(saved))
    with pytest.raises(lebm_tf.InputError) as error:
        lebm_tf.load(str(tmp_path / "run"))
    assert "before it is loaded, got x>Plain of the module antigravity, " \
        "which is not registered" in str(error.value)


def test_a_work_directory_loads_no_graph_that_it_names(digits, tmp_path):
    trained(digits, tmp_path / "run", energy=Plain(3, ()))
    path = tmp_path / "run" / "config.json"
    saved = json.loads(path.read_text())
    saved["networks"]["energy"] = {
        "module": "keras.layers", "class_name": "TFSMLayer",
        "registered_name": None, "config": {
            "filepath": str(tmp_path / "elsewhere"), "name": "x"}}
    path.write_text(json.dumps(saved))
    with pytest.raises(lebm_tf.InputError, match="TFSMLayer, whose graph"):
        lebm_tf.load(str(tmp_path / "run"))


@keras.saving.register_keras_serializable(package="tests")
class Unbuilt(keras.layers.Layer):
    """An energy whose weights are made at the first call."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(1)

    def call(self, z):
        return self.dense(z)[:, 0]


def test_a_network_that_is_not_built_yet_is_built(digits, tmp_path):
    model, before = trained(digits, tmp_path / "run", energy=Unbuilt())
    assert len(model.variables_of("energy")) == 2
    loaded = lebm_tf.load(str(tmp_path / "run"))
    np.testing.assert_array_equal(loaded.sample(3).x, model.sample(3).x)


@pytest.mark.parametrize("networks, message", [
    ({"energy": keras.Sequential([keras.layers.Dense(1)])},
     r"'energy' must return \[batch\] for .*\[batch, 3\], got \[batch, 1\]"),
    ({"generator": Plain(3, (8, 8, 3))},
     r"'generator' must return \[batch, 8, 8, 1\] for .*\[batch, 8, 8, 3\]"),
    ({"encoder": Both(64, (8,))},
     r"'encoder' must return \[batch, 3\] for .* got \[batch, 4\]")])
def test_a_network_of_another_shape_is_refused(digits, networks, message):
    with pytest.raises(lebm_tf.InputError, match=message):
        lebm_tf.build("image", CONFIG, digits, batch_size=50, **networks)
