"""Strings to strings: what is served of a model of sequences."""

import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf import export, train
from lebm_tf.datasets import load_dataset
from lebm_tf.errors import InputError
from lebm_tf.families import ChainConfig, build, sequence
from lebm_tf.mcmc import rng
from lebm_tf.models import answers
from lebm_tf.serving import ServingConfig, export_model, texts, trial
from lebm_tf.serving.requests import call, examples, to_json
from tests.commands.conftest import QUICK_EXPORT, call as command
from tests.commands.conftest import refused  # noqa: F401
from tests.serving.conftest import build as build_pictures
from tests.serving.servers import as_arrays, connections, running
from tests.serving.test_loading import FRESH, run

NAMES = ["decode", "energy", "infer", "interpolate", "reconstruct", "sample",
         "score"]
LINES = ["CCO", "CCCl", "c1ccccc1", "CC(=O)O", "CCN", "BrCC", "OCCO"]
EXPOSED = ServingConfig(
    exposed=("num_steps", "temperature", "token_temperature"), max_steps=5,
    num_points=3, check_rows=17, row_blocks=(16,))


def model_of(data):
    """Both chains, and weights that make a difference."""
    model = build("sequence", sequence.SequenceConfig(
        latent_dim=3, decoder=sequence.DecoderConfig("lstm", 4, 8),
        posterior=ChainConfig(2, 0.3), prior=ChainConfig(3, 0.4)), data,
        batch_size=4)
    model.inference_batch = 4
    for variable in model.variables_of("decoder"):
        variable.assign(3.0 * variable)
    return model


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "own.smi"
    path.write_text("\n".join(LINES * 3) + "\n")
    return load_dataset(f"smiles:{path}")


@pytest.fixture(scope="module")
def exported(data, tmp_path_factory):
    """(model, signatures in this process, path, the same reloaded)."""
    model = model_of(data)
    path = export_model(
        model, str(tmp_path_factory.mktemp("models") / "smiles"), data.shape,
        EXPOSED, {}, data.vocabulary)
    servable = texts.of(model, data.shape, EXPOSED, data.vocabulary)
    return model, servable, path, tf.saved_model.load(path).signatures


@pytest.fixture(scope="module")
def requests(exported):
    return examples(exported[1].signatures, range(20))


def test_row_i_is_the_same_in_every_batch(exported, requests):
    served = exported[3]
    assert sorted(served) == sorted([*NAMES, "serving_default"])
    for name in NAMES:
        whole = call(served[name], requests[name])
        assert not any(whole["status"])
        for rows in ([3], [7, 2], np.arange(20)[::-1]):
            part = call(served[name], {
                key: value[rows] for key, value in requests[name].items()})
            for key, value in part.items():
                if value.dtype == object:
                    np.testing.assert_array_equal(value, whole[key][rows])
                else:
                    np.testing.assert_allclose(
                        value, whole[key][rows], rtol=1e-6, atol=1e-6)


def test_answers_are_the_models_own(exported, requests, data):
    model, _, _, served = exported
    seed = tf.constant(requests["sample"]["seed"])
    drawn = call(served["sample"], {**requests["sample"], "num_steps": np.full(
        20, 3, np.int32)})
    expected = answers.sample(
        model, 20, rng.stream(rng.make_seed(seed), "sample"))
    np.testing.assert_allclose(drawn["z"], expected.z, atol=1e-5)
    assert [text.decode() for text in drawn["text"]] == (
        data.vocabulary.texts(expected.x))
    assert len(set(drawn["text"])) > 10
    given = {**requests["score"], "text": np.array(
        [line.encode() for line in (LINES * 3)[:20]], object)}
    x = data.vocabulary.encode(given["text"]).to_tensor()
    scores = call(served["score"], {**given, "num_steps": np.full(
        20, 2, np.int32)})
    found = answers.score(model, x, rng.stream(rng.make_seed(seed), "infer"))
    assert set(scores) == {"log_joint", "log_likelihood", "energy",
                           "base_log_prob", "status"}
    np.testing.assert_allclose(
        scores["log_likelihood"], found.log_likelihood, rtol=1e-4)
    z = call(served["infer"], {key: given[key] for key in (
        "text", "seed")} | {"num_steps": np.full(20, 2, np.int32)})["z"]
    np.testing.assert_allclose(
        scores["log_likelihood"], model.likelihood.log_prob(x, z), rtol=1e-4)
    again = call(served["reconstruct"], {**given, "num_steps": np.full(
        20, 2, np.int32)})
    np.testing.assert_array_equal(
        call(served["decode"], {"z": z, "seed": given["seed"]})["text"],
        again["text"])


def test_rows_choose_how_hot_their_tokens_are(exported, requests):
    model, _, _, served = exported
    ask = {**requests["sample"], "seed": np.full(20, 3),
           "token_temperature": np.linspace(0.1, 10, 20).astype(np.float32)}
    drawn = call(served["sample"], ask)
    np.testing.assert_array_equal(drawn["z"], drawn["z"][[0] * 20])
    assert len(set(drawn["text"])) > 1
    cold = {**requests["sample"], "token_temperature": np.full(
        20, 0.001, np.float32)}
    assert b"token_temperature must lie in [0.1, 10], got 0.001." in call(
        served["sample"], cold)["status"]


@pytest.mark.parametrize("text, said", [
    (b"", b"text must have at least one token, got none."),
    (b"C" * 40, b"text must have at most 8 tokens, got 40."),
    (b"CXC", b"text must consist of tokens of the training data, got CXC."),
    (b"C\xff", b"text must be UTF-8, got invalid bytes.")])
def test_bad_texts_say_so_and_leave_their_neighbours(
        exported, requests, text, said):
    served = exported[3]
    good = call(served["score"], requests["score"])
    given = requests["score"]["text"].copy()
    given[2] = text
    mixed = call(served["score"], {**requests["score"], "text": given})
    assert mixed["status"][2] == said and np.isnan(mixed["energy"][2])
    rest = np.arange(20) != 2
    assert not any(mixed["status"][rest])
    for name in set(good) - {"status"}:
        np.testing.assert_allclose(
            mixed[name][rest], good[name][rest], rtol=1e-6, atol=1e-6)


def test_blocks_are_tried_with_strings_in_another_process(
        exported, requests, tmp_path):
    few = {name: {key: value[:2] for key, value in requests[name].items()}
           for name in ("decode", "score")}
    found = trial.run(exported[2], few, 16, (16,), str(tmp_path))
    assert found.sizes == ((1,) if found.refused else (16,))


def test_words_that_are_unknown_count_as_such(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("a b\nb a\nb b\na a b\n" * 5)
    data = load_dataset(f"text:{path}")
    servable = texts.of(model_of(data), data.shape, ServingConfig(),
                        data.vocabulary)
    score = servable.signatures["score"].function
    both = call(score, {"text": np.array([b"a zebra", b"a <unk>"], object),
                        "seed": np.array([1, 1])})
    assert not any(both["status"])
    assert both["log_joint"][0] == both["log_joint"][1]


@pytest.mark.long  # As of pictures in test_loading; a server has strings.
def test_a_fresh_process_without_this_library_answers_the_same(
        exported, requests, tmp_path):
    np.savez(tmp_path / "requests.npz", **{
        f"{name}/{key}": value for name, request in requests.items()
        for key, value in request.items()})
    (tmp_path / "fresh.py").write_text(FRESH)
    run("fresh.py", exported[2], "requests.npz", "answers.npz", cwd=tmp_path)
    found = np.load(tmp_path / "answers.npz", allow_pickle=True)
    for name, request in requests.items():
        for key, value in call(exported[3][name], request).items():
            np.testing.assert_array_equal(found[f"{name}/{key}"], value)


def test_a_server_takes_and_gives_strings(exported, requests, tmp_path):
    folder = tmp_path / "smiles"
    shutil.copytree(exported[2], folder / "1")
    with running(folder) as server:
        for address in (server.grpc, server.rest):
            connection = connections.connect(address, "smiles")
            fields = connection.metadata(60)
            for name in ("sample", "reconstruct", "score"):
                answer = connection.predict(name, to_json(
                    name, requests[name])["inputs"], fields[name], 60)
                expected = call(exported[3][name], requests[name])
                found = as_arrays(answer, expected)
                for key, value in expected.items():
                    np.testing.assert_array_equal(found[key], value)


def test_the_command_exports_texts(data, tmp_path, capfd, refused):  # noqa: F811,E501
    flags = ["--family=sequence", f"--dataset={data.name}", "--latent_dim=3",
             f"--workdir={tmp_path}/run", "--train_steps=2", "--batch_size=4",
             "--log_every=1", "--checkpoint_every=2", "--decoder_hidden_dim=8",
             "--posterior_num_steps=1", "--prior_num_steps=2",
             "--evaluation_sequences_num_samples=4", "--evaluation_num_draws=1"]
    assert not command(train, *flags)
    assert not command(export, f"--workdir={tmp_path}/run",
                       f"--output={tmp_path}/m", *QUICK_EXPORT)
    assert "text string [batch]" in capfd.readouterr().out
    path = tmp_path / "m" / "1" / "assets.extra"
    body = json.loads((path / "requests" / "score.json").read_text())
    assert isinstance(body["inputs"]["text"][0], str)
    assert os.path.exists(path / "tf_serving_warmup_requests")
    assert "--format must be saved_model for sequences" in refused(
        export, f"--workdir={tmp_path}/run", f"--output={tmp_path}/h",
        "--format=hlo")


def test_a_vocabulary_belongs_to_sequences_alone(data, tmp_path):
    with pytest.raises(InputError, match="vocabulary must be left out for "
                       "images, got one of"):
        export_model(build_pictures(), str(tmp_path), (8, 8, 3),
                     vocabulary=data.vocabulary)
    with pytest.raises(InputError, match="or the vocabulary of sequences, got "
                       "tokens without a vocabulary"):
        export_model(model_of(data), str(tmp_path), data.shape)
