"""A user's own networks in every family are tried once, before training."""

import keras
import pytest
import tensorflow as tf

from lebm_tf.assembly import custom
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.errors import InputError
from lebm_tf.families import (
    cycle_translation, divergence_triangle, flow, ladder_vae,
    multilayer_two_stage)
from tests.contracts.test_families import CASES, NETWORKS, spec_of

# Families of which a case is built, and its own networks tried.
BUILT = ["image", "image, warm start", "vae", "rae", "sri", "m1+m2", "symbol",
         "symbol, words", "symbol, sequences", "sequence, number, encoder",
         "trajectory", "multilayer, ladder",
         "diffusion, sequences", "neural transport", "recovery, vectors"]
# These take no network, or a whole hierarchy or flow with checks of its own.
WITHOUT_NETWORKS = {cycle_translation, divergence_triangle, flow, ladder_vae,
                    multilayer_two_stage}


class Wrong(keras.layers.Layer):
    """Makes [batch, 1, 7, 1, 2] of whatever it is given."""

    def call(self, *inputs, **others):
        return tf.zeros([len(tf.nest.flatten(inputs)[0]), 1, 7, 1, 2])

    def logits(self, hidden):
        return hidden


def networks(model):
    """Those that a user could give, as far as a model has them."""
    prior, likelihood = model.prior, model.likelihood
    energy = getattr(prior, "energy_network", None) or getattr(
        prior, "logits_network", None)
    if likelihood is None or hasattr(energy, "transport"):
        energy = energy.network  # Of a level, of what a flow makes of z.
    return {"energy": energy, "context": model.context,
            "encoder": model.encoder and model.encoder.network, **{
                name: getattr(likelihood, attribute)
                for name, attribute in (
                    ("generator", "generator"), ("decoder", "decoder"),
                    ("forecaster", "generator"))
                if hasattr(likelihood, attribute)}}


@pytest.mark.parametrize("name", BUILT)
def test_built_in_networks_make_what_is_asked(name):
    family, config = CASES[name]
    probes = config.probes(spec_of(name))
    assert probes
    model = family.build(config, spec_of(name), batch_size=4,
                         **NETWORKS.get(name, dict)())
    found = {key: layer for key, layer in networks(model).items()
             if key in probes and layer is not None}
    assert found
    custom.checked(found, probes)


@pytest.mark.parametrize("name", [name for name, (_, config) in CASES.items()
                                  if isinstance(config, FamilyConfig)])
def test_a_network_of_other_shapes_is_refused(name):
    family, config = CASES[name]
    probes = config.probes(spec_of(name))
    assert bool(probes) == (family not in WITHOUT_NETWORKS)
    for key, probe in probes.items():
        with pytest.raises(InputError, match=(
                f"^the network '{key}' must return .batch.* for an input of "
                r".batch.*, got \[batch, 1, 7, 1, 2\]\.$")):
            custom.checked({key: Wrong()}, {key: probe})
