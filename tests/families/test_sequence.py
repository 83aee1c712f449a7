"""The sequence family: every way to infer learns, and a run is whole."""

import json

import numpy as np
import pytest

import lebm_tf
from lebm_tf import evaluate, sample, train
from lebm_tf.datasets import load_dataset
from lebm_tf.errors import InputError
from lebm_tf.families import ChainConfig, DataSpec, build, sequence
from lebm_tf.models import OptimizerConfig
from tests.commands.conftest import call

SMALL = {"decoder": sequence.DecoderConfig("lstm", 8, 16, 0.2),
         "encoder": sequence.SequenceEncoderConfig("gru", 8, 16),
         "decoder_optimizer": OptimizerConfig(0.02, beta_1=0.9),
         "latent_dim": 4, "prior": ChainConfig(num_steps=3, step_size=0.3)}
WAYS = {
    "chains": {"posterior": ChainConfig(num_steps=2, step_size=0.1)},
    "bank": {"posterior": ChainConfig(
        num_steps=2, step_size=0.1, start="bank")},
    "encoder, then chains": {"posterior": ChainConfig(
        num_steps=1, step_size=0.1, start="encoder")},
    "encoder": {"posterior": ChainConfig(num_steps=0, start="encoder"),
                "kl_warmup_steps": 5},
    "autoencoder": {"posterior": ChainConfig(num_steps=0, start="encoder"),
                    "learned_prior": False},
    "no energy": {"posterior": ChainConfig(num_steps=2, step_size=0.1),
                  "learned_prior": False}}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "own.txt"
    random = np.random.RandomState(0)
    path.write_text("\n".join(
        " ".join(str(random.choice(["a", "b"])) * int(n)
                 for n in random.randint(1, 3, random.randint(1, 5)))
        for _ in range(60)) + "\n")
    return path


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_infer_learns(way, text):
    data = load_dataset(f"text:{text}")
    config = sequence.SequenceConfig(**{**SMALL, **WAYS[way]})
    model = build("sequence", config, data, batch_size=10, seed=1)
    history = lebm_tf.fit(model, data, 40, verbose=False, log_every=10,
                          checkpoint_every=40)
    assert history[-1]["loss/nll"] < history[0]["loss/nll"] - 0.5
    samples = model.sample(3, 5)
    assert samples.x.shape == (3, data.shape[0]) and (
        samples.x.dtype == np.int32)
    np.testing.assert_array_equal(samples.x, model.sample(3, 5).x)
    score = model.score(data.x_test, 0)
    np.testing.assert_allclose(
        score.log_joint, score.log_likelihood + score.base_log_prob
        - score.energy, rtol=1e-5)
    assert np.isnan(score.squared_error).all()
    assert model.reconstruct(data.x_test).shape == data.x_test.shape
    assert model.interpolate(data.x_test[:1], data.x_test[1:2], 3).shape == (
        1, 3, data.shape[0])


def test_a_run_from_text_to_text(text, tmp_path, capsys):
    workdir = tmp_path / "run"
    flags = ["--family=sequence", f"--dataset=text:{text}",
             f"--workdir={workdir}", "--train_steps=20", "--batch_size=10",
             "--log_every=10", "--checkpoint_every=10", "--latent_dim=4",
             "--decoder_hidden_dim=16", "--decoder_embedding_dim=8",
             "--posterior_num_steps=2", "--prior_num_steps=3",
             "--evaluation_num_samples=20", "--evaluation_num_draws=1"]
    assert call(train, *flags) == 0
    assert "54 sequences of up to" in capsys.readouterr().out
    metrics = json.loads((workdir / "metrics.json").read_text())
    nll = metrics["sequences/reconstruction_nll"]
    tokens = metrics["sequences/num_tokens"] / metrics[
        "sequences/num_sequences"]
    assert metrics["sequences/reconstruction_perplexity"] == pytest.approx(
        np.exp(nll / tokens))
    assert "Samples" in (workdir / "pictures" / "sequences.txt").read_text()
    path = tmp_path / "samples.txt"
    assert not call(sample, f"--workdir={workdir}", "--num_samples=7",
                    f"--output={path}")
    lines = path.read_text().split("\n")
    assert len(lines) == 8
    assert set("".join(lines)) <= set("ab <unk>")
    assert not call(
        evaluate, f"--workdir={workdir}", "--evaluators=likelihood",
        "--evaluation_likelihood_examples=2", "--evaluation_proposal_draws=10",
        "--evaluation_importance_samples=20",
        "--evaluation_annealing_steps=5", "--evaluation_annealing_chains=10")
    metrics = json.loads((workdir / "metrics.json").read_text())
    assert metrics["likelihood/nll"] > 0
    assert metrics["likelihood/perplexity"] > 1


def test_what_does_not_fit_is_said():
    images = DataSpec((8, 8, 1), 10)
    with pytest.raises(InputError, match="needs sequences of tokens, got data "
                       r"of shape \(8, 8, 1\)"):
        build("sequence", sequence.SequenceConfig(), images)
    with pytest.raises(ValueError, match="prior_start must be base"):
        sequence.SequenceConfig(prior=ChainConfig(start="bank"))
    words = DataSpec((5,), 10, num_tokens=9)
    with pytest.raises(InputError, match="an energy needs learned_prior"):
        build("sequence", sequence.SequenceConfig(learned_prior=False), words,
              energy=object())
