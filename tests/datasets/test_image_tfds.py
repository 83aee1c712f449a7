"""Tests of pictures through tensorflow-datasets, without network."""

import gzip
import http.server
import os
import socket
import struct
import threading
import time

import numpy as np
import pytest

from lebm_tf.datasets.images import tfds as image_tfds
from lebm_tf.datasets.loading import load_dataset
from lebm_tf.errors import InputError

tfds = pytest.importorskip("tensorflow_datasets")

MNIST_FILES = {"train-images-idx3-ubyte.gz": "x_train",
               "train-labels-idx1-ubyte.gz": "y_train",
               "t10k-images-idx3-ubyte.gz": "x_test",
               "t10k-labels-idx1-ubyte.gz": "y_test"}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """No look-up of any host's name succeeds, as without network."""
    def fail(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def idx_gz(array):
    """The format of the original MNIST files."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes(), 1)


@pytest.mark.parametrize("name, host, file", [
    ("mnist", "storage.googleapis.com", "t10k-labels-idx1-ubyte.gz"),
    ("cifar10", "www.cs.toronto.edu", "cifar-10-binary.tar.gz"),
    ("celeb_a", "drive.google.com", "img_align_celeba.zip"),
])
def test_without_network_a_load_fails_at_once_and_says_what_to_do(
        tmp_path, name, host, file):
    start = time.monotonic()
    with pytest.raises(InputError) as error:
        load_dataset(name, data_dir=str(tmp_path))
    assert time.monotonic() - start < 5.0
    message = str(error.value)
    assert message.startswith(
        f"{name}: not prepared in {tmp_path}, and {host} does not answer; put ")
    assert file in message and "\n" not in message
    assert f"into {tmp_path / 'downloads' / 'manual'}, or run" in message


def test_only_the_files_that_are_missing_are_asked_for(tmp_path):
    manual = tmp_path / "downloads" / "manual"
    manual.mkdir(parents=True)
    (manual / "train-images-idx3-ubyte.gz").write_bytes(b"")
    with pytest.raises(InputError) as error:
        load_dataset("mnist", data_dir=str(tmp_path))
    assert "put t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz, " \
        "train-labels-idx1-ubyte.gz into" in str(error.value)


def test_a_raw_file_with_another_content_is_refused_in_one_line(tmp_path):
    manual = tmp_path / "downloads" / "manual"
    manual.mkdir(parents=True)
    for file in MNIST_FILES:
        (manual / file).write_bytes(idx_gz(np.zeros(3)))
    with pytest.raises(InputError, match="^mnist: cannot be prepared in .*"
                                         "wrong checksum") as error:
        load_dataset("mnist", data_dir=str(tmp_path))
    assert "\n" not in str(error.value)


def test_a_download_that_breaks_is_reported_in_one_line(tmp_path, monkeypatch):
    def fail(self, **kwargs):
        raise tfds.download.DownloadError("HTTP code: 404.\nGone.")
    monkeypatch.setattr(image_tfds, "_answers", lambda url: True)
    monkeypatch.setattr(
        tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(InputError, match="^mnist: cannot be prepared in .*: "
                                         "HTTP code: 404. Gone.$"):
        load_dataset("mnist", data_dir=str(tmp_path))


def test_a_folder_that_only_looks_prepared_is_named(tmp_path):
    (tmp_path / "mnist" / "3.0.1").mkdir(parents=True)
    with pytest.raises(InputError, match="mnist.* without dataset_info.json"):
        load_dataset("mnist", data_dir=str(tmp_path))


@pytest.mark.parametrize("status, answers", [(200, True), (404, True),
                                             (405, True), (503, False)])
def test_a_host_answers_unless_its_gateway_fails(
        monkeypatch, status, answers):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args):
            pass

    monkeypatch.undo()  # The server needs its own name looked up.
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/file"
        assert image_tfds._answers(url) is answers
    assert not image_tfds._answers(url)  # Now nobody listens.


def test_a_host_name_that_is_looked_up_without_end_is_given_up(monkeypatch):
    release = threading.Event()

    def hang(*args, **kwargs):
        release.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    assert not image_tfds._answers("http://example.org/", seconds=0.1)
    release.set()


def mnist_arrays():
    path = os.path.join(os.environ.get("LEBM_DATA_DIR", ""), "mnist",
                        "mnist.npz")
    if not os.path.isfile(path):
        pytest.skip("set LEBM_DATA_DIR to a folder with mnist/mnist.npz")
    with np.load(path) as file:
        return {key: file[key] for key in MNIST_FILES.values()}


@pytest.mark.parametrize("num_train, num_test", [
    (300, 50), pytest.param(60_000, 10_000, marks=pytest.mark.long)])
def test_mnist_is_built_from_raw_files_and_then_read_as_prepared(
        tmp_path, monkeypatch, num_train, num_test):
    """The rebuilt .gz files have other hashes than the original ones, so they
    go where tensorflow-datasets keeps what it has downloaded and checked."""
    from tensorflow_datasets.core.download import resource
    from tensorflow_datasets.image_classification import mnist

    monkeypatch.setattr(mnist, "_TRAIN_EXAMPLES", num_train)
    monkeypatch.setattr(mnist, "_TEST_EXAMPLES", num_test)
    arrays = {key: value[:num_train if "train" in key else num_test]
              for key, value in mnist_arrays().items()}
    builder = tfds.builder("mnist", data_dir=tmp_path)
    folder = tmp_path / "downloads" / "mnist"
    folder.mkdir(parents=True)
    for url, info in builder.url_infos.items():
        file = folder / resource.get_dl_fname(url, info.checksum)
        file.write_bytes(idx_gz(arrays[MNIST_FILES[info.filename]]))
        resource.get_info_path(file).write_text("{}")
    built = load_dataset("mnist", data_dir=str(tmp_path))
    assert built.x_train.shape == (num_train, 28, 28, 1)
    assert built.x_test.shape == (num_test, 28, 28, 1)
    for file in folder.iterdir():
        file.unlink()
    again = load_dataset("mnist", data_dir=str(tmp_path), image_size=14)
    assert again.x_train.shape == (num_train, 14, 14, 1)
    np.testing.assert_array_equal(again.y_train, built.y_train)
    # tensorflow-datasets stores the rows in another, fixed order.
    for part in ("train", "test"):
        rows = getattr(built, f"x_{part}").reshape(-1, 784)
        expected = arrays[f"x_{part}"].reshape(-1, 784)
        assert sorted(map(bytes, rows)) == sorted(map(bytes, expected))
        np.testing.assert_array_equal(
            np.bincount(getattr(built, f"y_{part}")),
            np.bincount(arrays[f"y_{part}"]))
