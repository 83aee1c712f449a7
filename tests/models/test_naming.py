"""Names of layers, which decide in which order TensorFlow adds terms."""

import keras

from lebm_tf.densities import EnergyPrior, GaussianLikelihood, StandardNormal
from lebm_tf.mcmc import Langevin
from lebm_tf.models import EnergyModel
from lebm_tf.models.naming import number_layers
from lebm_tf.networks import EnergyMLP, VectorMLP
from lebm_tf.objectives import Objective, energy_contrast, squared_error
from lebm_tf.samplers import FromBase, ShortRun


def build():
    prior = EnergyPrior(StandardNormal(2), EnergyMLP(2, (3, 3)))
    likelihood = GaussianLikelihood(VectorMLP(
        2, 4, (3,), seed=1, name="mine_7"), 0.5)
    chains = ShortRun(FromBase(prior.base), Langevin(0.1), 2)
    return EnergyModel(
        prior=prior, likelihood=likelihood,
        roles={"positive": chains, "negative": chains},
        parts={"energy": prior.energy_network, "generator": likelihood},
        objectives={
            "energy": Objective(("energy",), {"energy": energy_contrast}),
            "generator": Objective(("generator",), {"fit": squared_error})})


def names(model):
    return [layer.name for layer in model._flatten_layers(
        include_self=True, recursive=True)]


def test_names_do_not_depend_on_what_was_built_before():
    first = names(build())
    keras.layers.Dense(1)
    assert names(build()) == first
    assert not any(name in ("energy_mlp", "energy_prior") for name in first)


def test_a_name_that_was_given_is_kept():
    """Also one that Keras could have made, as that of the second layer."""
    model = build()
    assert "mine_7" in names(model)
    assert [layer.name for layer in model.prior.energy_network.layers[:2]] == [
        "dense_0", "dense_1"]
    number_layers(model)
    assert names(model) == names(build())


def test_layers_of_a_user_are_numbered_from_0():
    keras.layers.Dense(1)
    model = keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(1)])
    number_layers(model)
    assert names(model) == ["sequential_0", "dense_0", "dense_1"]
