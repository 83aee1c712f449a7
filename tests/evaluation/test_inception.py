"""Tests of the Inception network, with random weights."""

import hashlib
import urllib.error

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.errors import InputError
from lebm_tf.evaluation.images import features, inception


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory):
    """InceptionV3 with random weights, as a weights file and a network."""
    keras.utils.set_random_seed(0)
    network = keras.applications.InceptionV3(
        include_top=False, weights=None, pooling="avg")
    path = str(tmp_path_factory.mktemp("inception") / "random.weights.h5")
    network.save_weights(path)
    return path, network


def frozen_graph(path):
    """A small graph with the names of that of 2015-12-05, and with its
    normalization, an operation that later graph versions lack."""
    v1, random = tf.compat.v1, np.random.RandomState(0)
    graph = tf.Graph()
    with graph.as_default():
        jpeg = v1.image.decode_jpeg(
            tf.constant(b"", name="DecodeJpeg/contents"), channels=3)
        images = tf.expand_dims(tf.cast(jpeg, tf.float32), 0,
                                name="ExpandDims")
        images = v1.image.resize_bilinear(images, [15, 15])
        maps = v1.nn.conv2d(
            (images - 128.0) * (1.0 / 128.0),
            tf.constant(random.normal(size=(3, 3, 3, 4)), tf.float32),
            strides=[1, 2, 2, 1], padding="VALID", name="conv")
        pooled = tf.nn.avg_pool2d(maps, 7, 1, "VALID", name="pool_3")
        tf.reshape(pooled, [1, 4], name="pool_3/_reshape")
    definition = graph.as_graph_def()
    for name, value in zip("mvbg", ([0.0] * 4, [1.0] * 4, [0.5] * 4,
                                    [2.0] * 4)):
        node = definition.node.add(name=name, op="Const")
        node.attr["dtype"].type = tf.float32.as_datatype_enum
        node.attr["value"].tensor.CopyFrom(
            tf.make_tensor_proto(value, tf.float32))
    node = definition.node.add(
        name="norm", op="BatchNormWithGlobalNormalization",
        input=["conv", "m", "v", "b", "g"])
    node.attr["T"].type = tf.float32.as_datatype_enum
    node.attr["variance_epsilon"].f = 0.0
    node.attr["scale_after_normalization"].b = True
    pool, = [n for n in definition.node if n.name == "pool_3"]
    pool.input[0] = "norm"
    definition.versions.producer = 8
    path.write_bytes(definition.SerializeToString())


def test_weights_of_keras_give_the_features_of_keras(keras_file, numbers):
    path, network = keras_file
    name, extract = inception.load(path)
    x = numbers.uniform(-1, 1, size=(2, 40, 40, 3)).astype(np.float32)
    values = extract(x)
    assert name == "inception_keras" and values.shape == (2, 2048)
    expected = network(tf.image.resize(x, (299, 299)), training=False)
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)
    grey = x[..., :1]  # As what it computes from.
    np.testing.assert_array_equal(
        inception._colour(grey), grey.repeat(3, -1))


def test_a_frozen_graph_runs_on_pixels_of_any_size(tmp_path, numbers):
    frozen_graph(tmp_path / "graph.pb")
    weights = np.random.RandomState(0).normal(size=(3, 3, 3, 4))
    name, extract = inception.load(str(tmp_path / "graph.pb"))
    assert name == "inception_2015"
    for value in (-1.0, 0.0, 1.0):
        values = extract(np.full([3, 8, 8, 1], value, np.float32))
        # Of one colour: 2 (sum of weights * pixel) + 0.5.
        pixel = ((value + 1.0) * 127.5 - 128.0) / 128.0
        expected = 2.0 * pixel * weights.sum((0, 1, 2)) + 0.5
        assert values.shape == (3, 4)
        np.testing.assert_allclose(values[1], expected, rtol=1e-4, atol=1e-4)
    assert extract(numbers.uniform(-1, 1, [2, 11, 9, 3])).shape == (2, 4)


def test_distances_by_inception_refer_to_the_training_pictures(
        tmp_path, digits):
    frozen_graph(tmp_path / "graph.pb")
    extract = features.load("inception", digits,
                            inception_weights=str(tmp_path / "graph.pb"))
    assert (extract.name, extract.reference) == ("inception_2015", "train")
    assert extract(digits.x_test).shape == (100, 4)


@pytest.mark.parametrize("name, content", [
    ("absent.h5", None), ("absent.pb", None), ("text.h5", b"text"),
    ("text.pb", b"\xff\xffno graph"), ("empty.pb", b""),
    ("text.weights.h5", b"text")])
def test_a_file_that_is_not_it_says_how_to_get_one(name, content, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as error:
        inception.load(str(tmp_path / name))
    message = str(error.value)
    assert name in message and "\n" not in message
    assert message.startswith("an Inception network is needed in inception_w")
    assert "inception-2015-12-05.tgz" in message


def test_a_download_that_fails_says_so(tmp_path, monkeypatch):
    def refuse(url, timeout):
        raise urllib.error.URLError("no route")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(inception.urllib.request, "urlopen", refuse)
    with pytest.raises(InputError, match="the download failed: .*no route"):
        inception.load()


def test_a_download_is_checked_and_kept(tmp_path, monkeypatch):
    class Reply:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def read(self):
            return b"weights"
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(inception.urllib.request, "urlopen",
                        lambda url, timeout: Reply())
    with pytest.raises(InputError, match="7 bytes has a wrong checksum"):
        inception.load()
    monkeypatch.setattr(
        inception, "_MD5", hashlib.md5(b"weights").hexdigest())
    path = inception._download()
    monkeypatch.setattr(inception.urllib.request, "urlopen", None)
    assert inception._download() == path
