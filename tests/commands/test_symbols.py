"""Symbols from few labels, through every command."""

import json

from PIL import Image
import numpy as np
import pytest
import tensorflow as tf

import lebm_tf
from lebm_tf import export, sample, train
from tests.commands.conftest import QUICK_EXPORT, call
from tests.datasets.test_vectors import documents, table
from tests.oracles import assert_nests_equal, undeclared

SMOKE = "--flagfile=configs/smoke/symbol_vector.cfg"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that was stopped once."""
    path = tmp_path_factory.mktemp("symbols") / "run"
    assert call(train, SMOKE, f"--workdir={path}", "--train_steps=1") == 0
    assert call(train, SMOKE, f"--workdir={path}") == 0
    return path


def test_a_run_is_measured_and_goes_on_where_it_stopped(run, tmp_path):
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["run/step"] == 2
    assert not undeclared(metrics)
    assert metrics["symbols/num_labels"] == 20
    assert 0 <= metrics["symbols/accuracy"] <= 1
    assert call(train, SMOKE, f"--workdir={tmp_path / 'whole'}") == 0
    first, second = (lebm_tf.load(str(p)) for p in (run, tmp_path / "whole"))
    assert_nests_equal(first.sample(5, 1), second.sample(5, 1))


def test_samples_of_labels_are_those_of_the_condition(run, tmp_path):
    path = tmp_path / "x.npz"
    assert call(sample, f"--workdir={run}", "--label=3,0", "--num_samples=4",
                "--seed=7", f"--output={path}") == 0
    arrays = np.load(path)
    assert arrays["label"].tolist() == [3, 3, 0, 0]
    model = lebm_tf.load(str(run))
    drawn = model.sample(4, 7, condition=np.array([3, 3, 0, 0]))
    np.testing.assert_allclose(arrays["z"], drawn.z, rtol=1e-6)
    np.testing.assert_allclose(
        arrays["energy"], -tf.gather(
            model.prior.logits(drawn.z), [3, 3, 0, 0], batch_dims=1),
        rtol=1e-5, atol=1e-6)
    assert call(sample, f"--workdir={run}", "--label=3,0", "--num_samples=4",
                f"--output={tmp_path / 'x.png'}") == 0
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size[0] == picture.size[1]  # A row each of 2.


def test_what_is_served_draws_and_tells_symbols(run, tmp_path):
    assert call(export, f"--workdir={run}", f"--output={tmp_path}",
                *QUICK_EXPORT) == 0
    served = tf.saved_model.load(str(tmp_path / "1")).signatures
    model, data = lebm_tf.load(str(run)), lebm_tf.load_dataset("digits")
    x = np.asarray(data.to_model(data.x_test[:3]))
    np.testing.assert_allclose(
        served["classify"](x=tf.constant(x))["probs"], model.classify(x),
        atol=1e-5)
    asked = {"seed": tf.constant([5, 6], tf.int64)}
    drawn = served["sample_label"](label=tf.constant([1, 8]), **asked)
    np.testing.assert_allclose(drawn["energy"], model.prior.energy(
        drawn["z"], condition=tf.constant([1, 8])), atol=1e-5)
    bad = served["sample_label"](label=tf.constant([1, 10]), **asked)
    assert bad["status"][1] == b"label must lie in [0, 9], got 10."
    np.testing.assert_array_equal(bad["x"][0], drawn["x"][0])


def test_samples_of_labels_take_the_moves_that_the_export_chose(run, tmp_path):
    assert call(export, f"--workdir={run}", f"--output={tmp_path}",
                *QUICK_EXPORT, "--sample_steps=0") == 0
    served = tf.saved_model.load(str(tmp_path / "1")).signatures
    asked = {"seed": tf.constant([5, 6], tf.int64)}
    np.testing.assert_array_equal(
        served["sample_label"](label=tf.constant([1, 8]), **asked)["z"],
        served["sample"](**asked)["z"])


def test_the_baseline_of_two_stages_goes_the_same_way(tmp_path):
    path = tmp_path / "run"
    assert call(train, "--flagfile=configs/smoke/m1_m2.cfg",
                f"--workdir={path}") == 0
    assert "symbols/accuracy" in json.loads(
        (path / "metrics.json").read_text())
    assert call(sample, f"--workdir={path}", "--num_samples=4",
                f"--output={tmp_path / 'x.png'}") == 0


@pytest.mark.usefixtures("unmeasured")
def test_a_run_of_labels_alone_has_nothing_to_sample(refused, tmp_path):
    path = tmp_path / "run"
    assert call(train, SMOKE, "--labels_only", f"--workdir={path}",
                "--train_steps=1") == 0
    assert "got one trained with --labels_only" in refused(
        sample, f"--workdir={path}", f"--output={tmp_path / 'x.png'}")
    assert not (tmp_path / "x.png").exists()
    assert "got one trained with --labels_only" in refused(
        export, f"--workdir={path}", f"--output={tmp_path / 'served'}")
    assert not (tmp_path / "served").exists()


@pytest.mark.parametrize("kind", ["csv", "agnews"])
def test_tables_and_documents_are_trained_on_and_sampled(kind, tmp_path):
    flags = {"csv": [f"--dataset=csv:{table(tmp_path / 't.csv')}",
                     "--label_column=kind", "--num_labels=6"],
             "agnews": ["--dataset=agnews", "--num_labels=3",
                        f"--data_dir={documents(tmp_path)}"]}[kind]
    path = tmp_path / "run"
    assert call(train, SMOKE, *flags, "--batch_size=3", f"--workdir={path}",
                "--dense_encoder_hidden_units=4",
                "--dense_generator_hidden_units=4") == 0
    metrics = json.loads((path / "metrics.json").read_text())
    assert "symbols/accuracy" in metrics
    assert ("symbols/validation_accuracy" in metrics) == (kind == "agnews")
    assert call(sample, f"--workdir={path}", "--num_samples=4", "--label=1",
                f"--output={tmp_path / 'x.npz'}") == 0
    x = np.load(tmp_path / "x.npz")["x"]
    assert x.dtype == np.float32 and len(x) == 4
    if kind == "agnews":
        np.testing.assert_allclose(x.sum(1), 1, rtol=1e-5)
    assert call(export, f"--workdir={path}", *QUICK_EXPORT,
                f"--output={tmp_path / 'served'}") == 0
    served = tf.saved_model.load(str(tmp_path / "served" / "1")).signatures
    model, seed = lebm_tf.load(str(path)), tf.constant([5], tf.int64)
    counts = tf.ones([1, x.shape[1]])
    np.testing.assert_allclose(served["classify"](x=counts)["probs"],
                               model.classify(counts), atol=1e-6)
    scores = served["score"](x=counts, seed=seed)
    assert ("squared_error" in scores) == (kind == "csv")
    assert scores["status"][0] == b""
    wrong = served["score"](x=-counts, seed=seed)["status"][0].numpy()
    assert wrong == (b"" if kind == "csv" else
                     b"x must lie in [0, 1e+09], got -1.")


def test_what_is_served_tells_symbols_of_texts_and_says_texts_of_symbols(
        tmp_path):
    text, path = tmp_path / "t.txt", tmp_path / "run"
    text.write_text("a b c d\nb c\nd a a b\n" * 20)
    assert call(train, SMOKE, f"--dataset=text:{text}", "--num_labels=0",
                "--num_symbols=3", f"--workdir={path}", "--max_length=6",
                "--evaluators=sequences",
                "--evaluation_sequences_num_samples=4",
                *(f"--{part}_{width}_dim=4" for part in (
                    "decoder", "sequence_encoder") for width in (
                        "embedding", "hidden"))) == 0
    assert call(export, f"--workdir={path}", *QUICK_EXPORT,
                f"--output={tmp_path / 'served'}") == 0
    served = tf.saved_model.load(str(tmp_path / "served" / "1")).signatures
    probs = served["classify"](text=tf.constant(["a b", "d d d"]))["probs"]
    assert probs.shape == (2, 3)
    np.testing.assert_allclose(tf.reduce_sum(probs, 1), 1, rtol=1e-5)
    drawn = served["sample_label"](label=tf.constant([2, 0]),
                                   seed=tf.constant([5, 6], tf.int64))
    assert [status.numpy() for status in drawn["status"]] == [b"", b""]
    words = b" ".join(drawn["text"].numpy()).split()
    assert set(words) <= {b"a", b"b", b"c", b"d", b"<unk>"}


@pytest.mark.parametrize("flags, message", [
    (["--num_labels=-1"], "--num_labels must be >= 0, got -1"),
    (["--num_labels=5000"], "num_labels must be from 1 to 1347"),
    (["--labels_only", "--num_labels=0"], "labels_only needs num_labels"),
    (["--num_symbols=1"], "--num_symbols must be >= 2, or 0, got 1"),
    (["--num_symbols=3"], "at least the 10 classes of the data, got 3"),
    (["--labelled_weight=-1"], "--labelled_weight must be >= 0, got -1"),
    (["--posterior_start=bank"], "--posterior_start must be base or encoder"),
    (["--dense_encoder_dropout=1"], "--dense_encoder_dropout must lie in"),
    (["--label_column=a"], "label_column must be left out for digits"),
    (["--labels_only", "--posterior_num_steps=3"],
     "--labels_only must be False"),
    (["--encoder_optimizer_weight_decay=-1"],
     "--encoder_optimizer_weight_decay must be >= 0"),
    (["--family=image", "--num_labels=5"], "does not use labels, got 5")])
def test_a_wrong_value_is_named_with_what_was_needed(
        refused, tmp_path, flags, message):
    path = tmp_path / "run"
    assert message in refused(train, SMOKE, *flags, f"--workdir={path}")
    assert not path.exists()


@pytest.mark.parametrize("flags, message", [
    (["--label=10"], "different symbols from 0 to 9, got 10"),
    (["--label=1,1"], "different symbols from 0 to 9, got 1, 1"),
    (["--label=1,2,3", "--num_samples=4"], "a multiple of the 3 labels"),
    (["--label=a"], "--label must be")])
def test_symbols_that_are_none_are_refused(
        refused, run, tmp_path, flags, message):
    path = tmp_path / "x.png"
    assert message in refused(sample, f"--workdir={run}", *flags,
                              f"--output={path}")
    assert not path.exists()


def test_a_model_without_symbols_is_asked_for_none(
        refused, workdir, tmp_path):
    assert "--label needs a prior with symbols" in refused(
        sample, f"--workdir={workdir}", "--label=1",
        f"--output={tmp_path / 'x.png'}")
