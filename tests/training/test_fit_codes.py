"""What is fitted when training is over, and survives what may happen then."""

import numpy as np
import pytest

import lebm_tf
from lebm_tf.datasets import ImageData
from lebm_tf.families import EncoderConfig, GeneratorConfig, rae
from lebm_tf.training import fit_codes as ex_post, fitting
from tests import oracles

CONFIG = rae.RAEConfig(
    latent_dim=3, generator=GeneratorConfig(4, (4,)),
    encoder=EncoderConfig((4,)), mixture_components=2)
PIXELS = np.random.default_rng(0).integers(0, 256, [40, 8, 8, 1], np.uint8)
DATA = ImageData("noise", PIXELS[:30], PIXELS[30:])


def fitted(path, train_steps=2):
    model = lebm_tf.build("rae", CONFIG, DATA, batch_size=10, seed=1)
    fitting.fit(model, DATA, lebm_tf.RunConfig(
        train_steps=train_steps, workdir=str(path), log_every=1,
        checkpoint_every=1), verbose=False)
    return model


def numbers(model):
    return [v.numpy() for v in (*model.prior.variables,
                                *model.encoder.variables)]


def test_codes_of_training_data_are_fitted_and_kept(tmp_path):
    model = fitted(tmp_path / "run")
    codes = model.infer(DATA.to_model(DATA.x_train))
    mean = model.prior.proportions.numpy() @ model.prior.means.numpy()
    np.testing.assert_allclose(mean, codes.mean(0), atol=1e-4)
    assert int(model.prior.fitted_step) == 2
    loaded = lebm_tf.load(str(tmp_path / "run"))
    oracles.assert_nests_equal(numbers(loaded), numbers(model))
    oracles.assert_nests_equal(loaded.sample(4, 3), model.sample(4, 3))
    assert not ex_post.fit_codes(loaded, DATA)


def test_a_run_killed_between_training_and_fitting_ends_the_same(
        tmp_path, monkeypatch):
    whole = fitted(tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "fit_codes", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fitted(tmp_path / "killed")
    loaded = lebm_tf.load(str(tmp_path / "killed"))
    assert (int(loaded.step), int(loaded.prior.fitted_step)) == (2, -1)
    fitted(tmp_path / "killed")
    oracles.assert_nests_equal(
        numbers(lebm_tf.load(str(tmp_path / "killed"))), numbers(whole))


def test_a_longer_run_is_fitted_anew(tmp_path):
    fitted(tmp_path / "run")
    model = fitted(tmp_path / "run", train_steps=3)
    assert int(model.prior.fitted_step) == 3
    oracles.assert_nests_equal(
        numbers(model), numbers(fitted(tmp_path / "new", train_steps=3)))


def test_more_gaussians_than_examples_are_refused():
    with pytest.raises(lebm_tf.InputError, match="mixture_components must be "
                       "at most the number of training examples, 5, got 10"):
        lebm_tf.build("rae", rae.RAEConfig(), lebm_tf.DataSpec((8, 8, 1), 5))
