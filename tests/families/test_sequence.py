"""The sequence family: every way to infer learns, and a run is whole."""

import json

import numpy as np
import pytest
import tensorflow as tf

import lebm_tf
from lebm_tf import evaluate, sample, train
from lebm_tf.datasets import load_dataset
from lebm_tf.densities import kl_to_standard_normal
from lebm_tf.errors import InputError
from lebm_tf.families import ChainConfig, DataSpec, build, sequence
from lebm_tf.mcmc import rng
from lebm_tf.models import OptimizerConfig
from tests.commands.conftest import call
from tests.oracles import undeclared

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
    "dropout in chains": {"posterior": ChainConfig(
        num_steps=2, step_size=0.1), "chain_dropout": True},
    "Transformer": {"posterior": ChainConfig(num_steps=2, step_size=0.1),
                    "decoder": sequence.DecoderConfig(
                        "transformer", 8, 16, 0.1, 2, 2, 2)},
    "encoder without the energy": {
        "posterior": ChainConfig(num_steps=0, start="encoder"),
        "encoder_energy": False, "kl_weight": 0.1},
    "free nats": {"posterior": ChainConfig(num_steps=0, start="encoder"),
                  "free_nats": 2.0},
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


# The others differ in a term or a start that other tests compute.
IN_SHORT = {"chains", "encoder, then chains", "encoder", "Transformer",
            "no energy"}


@pytest.mark.parametrize("way", [
    pytest.param(way, marks=[pytest.mark.long] * (way not in IN_SHORT))
    for way in WAYS])
def test_every_way_to_infer_learns(way, text):
    data = load_dataset(f"text:{text}")
    config = sequence.SequenceConfig(**{**SMALL, **WAYS[way]})
    model = build("sequence", config, data, batch_size=10, seed=3)
    history = lebm_tf.fit(model, data, lebm_tf.RunConfig(
        train_steps=40, log_every=10, checkpoint_every=40), verbose=False)
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
             "--evaluation_sequences_num_samples=20",
             "--evaluation_num_draws=1"]
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
        "--evaluation_likelihood_num_examples=2",
        "--evaluation_likelihood_num_proposal_draws=10",
        "--evaluation_likelihood_num_importance_samples=20",
        "--evaluation_likelihood_num_annealing_steps=5",
        "--evaluation_likelihood_num_annealing_chains=10")
    metrics = json.loads((workdir / "metrics.json").read_text())
    assert metrics["likelihood/nll"] > 0
    assert metrics["likelihood/perplexity"] > 1
    assert not call(
        evaluate, f"--workdir={workdir}",
        "--evaluators=perplexity,latents,sentences",
        "--evaluation_num_draws=3", "--evaluation_sentences_num_chains=9",
        "--evaluation_sentences_transition_steps=0,2,3",
        f"--evaluation_perplexity_language_model_dir={tmp_path / 'models'}",
        "--evaluation_perplexity_language_model_embedding_dim=4",
        "--evaluation_perplexity_language_model_hidden_dim=5",
        "--evaluation_perplexity_language_model_max_epochs=1")
    metrics = json.loads((workdir / "metrics.json").read_text())
    assert not undeclared(metrics)
    for name in ("real", "forward_samples", "reverse_samples",
                 "forward_base_samples", "reverse_base_samples"):
        assert metrics[f"perplexity/{name}"] > 1
    # As many as the language model of real sentences learns from.
    assert metrics["perplexity/num_samples"] == 54 - 5
    assert (tmp_path / "models" / "language_model_0.npz").exists()
    assert metrics["latents/kl_of_all"] == pytest.approx(
        metrics["latents/kl"] - metrics["latents/mutual_information"])
    assert 0 < metrics["latents/mutual_information"] <= metrics[
        "latents/largest_mutual_information"] == pytest.approx(np.log(6))
    transition = (workdir / "pictures" / "transition.txt").read_text()
    assert "Energy of 9 chains" in transition and "Chain 8:" in transition
    assert f"{metrics['sentences/energy_3']:.3f}" in transition
    interpolation = (workdir / "pictures" / "interpolation.txt").read_text()
    assert "Pair 3:" in interpolation and "Pair 4:" not in interpolation


def test_the_energy_of_free_nats_is_that_to_the_learned_prior(text):
    """Below the level encoder and decoder learn from the data alone."""
    data = load_dataset(f"text:{text}")
    x = data.to_model(data.x_train[:10])
    terms = {}
    for level in (1e-9, 1e3):
        model = build("sequence", sequence.SequenceConfig(
            **SMALL, posterior=ChainConfig(num_steps=0, start="encoder"),
            free_nats=level), data, batch_size=10, seed=3)
        term = model.objectives["bound"].terms["kl"].term
        draws = model.draw({"x": x}, rng.make_seed(3))
        terms[level] = term(model, draws)
        expected = (kl_to_standard_normal(*draws.positive.encoded)
                    + model.energy(draws.positive.position)
                    - model.energy(draws.negative.position))
        if level < 1:
            assert float(terms[level]) == pytest.approx(
                float(tf.reduce_mean(expected)), rel=1e-4)
    assert float(terms[1e3]) == 1e3


def test_dropout_in_chains_is_that_of_the_step_and_never_of_new_data(text):
    data = load_dataset(f"text:{text}")
    x = data.to_model(data.x_train[:4])
    posterior = ChainConfig(num_steps=3, step_size=0.1)
    ends = {}
    for chain_dropout in (False, True):
        model = build("sequence", sequence.SequenceConfig(
            **SMALL, posterior=posterior, chain_dropout=chain_dropout), data,
            batch_size=10, seed=3)
        ends[chain_dropout] = [
            model.draw({"x": x}, rng.make_seed(seed)).positive.position
            for seed in (3, 3)] + [model.infer(x, 5)]
    np.testing.assert_array_equal(*ends[True][:2])
    assert abs(ends[True][0] - ends[False][0]).numpy().max() > 1e-5
    np.testing.assert_array_equal(ends[True][2], ends[False][2])


def test_an_encoder_proposes_for_the_likelihood(text, tmp_path):
    """By both proposals the same probability of a sequence, within error."""
    workdir, found = tmp_path / "run", {}
    assert not call(
        train, "--family=sequence", f"--dataset=text:{text}",
        f"--workdir={workdir}", "--train_steps=60", "--batch_size=10",
        "--latent_dim=2", "--decoder_hidden_dim=8",
        "--decoder_embedding_dim=4", "--encoder_hidden_dim=8",
        "--encoder_embedding_dim=4", "--posterior_num_steps=0",
        "--posterior_start=encoder", "--prior_num_steps=3",
        "--evaluation_sequences_num_samples=20", "--evaluation_num_draws=1",
        "--checkpoint_every=50")
    for proposal in ("posterior", "encoder"):
        assert not call(
            evaluate, f"--workdir={workdir}", "--evaluators=likelihood",
            f"--evaluation_likelihood_proposal={proposal}",
            "--evaluation_likelihood_num_examples=4",
            "--evaluation_likelihood_num_proposal_draws=100",
            "--evaluation_likelihood_num_importance_samples=200",
            "--evaluation_likelihood_num_annealing_steps=20",
            "--evaluation_likelihood_num_annealing_chains=20")
        found[proposal] = json.loads((workdir / "metrics.json").read_text())
    errors = [metrics["likelihood/log_prob_standard_error"]
              for metrics in found.values()]
    values = [metrics["likelihood/nll"] for metrics in found.values()]
    assert abs(values[0] - values[1]) < 5 * sum(errors) < 2.0


def test_what_does_not_fit_is_said():
    images = DataSpec((8, 8, 1), 10)
    with pytest.raises(InputError, match="needs sequences of tokens, got imag"):
        build("sequence", sequence.SequenceConfig(), images)
    with pytest.raises(ValueError, match="free_bits must be 0 with free_nats"):
        sequence.SequenceConfig(
            free_bits=1.0, free_nats=1.0,
            posterior=ChainConfig(num_steps=0, start="encoder"))
    with pytest.raises(ValueError, match="kl_weight must be > 0, got 0.0"):
        sequence.SequenceConfig(kl_weight=0.0)
    with pytest.raises(ValueError, match="prior_start must be base"):
        sequence.SequenceConfig(prior=ChainConfig(start="bank"))
    words = DataSpec((5,), 10, num_tokens=9, kind="sequence")
    with pytest.raises(InputError, match="an energy needs learned_prior"):
        build("sequence", sequence.SequenceConfig(learned_prior=False), words,
              energy=object())
