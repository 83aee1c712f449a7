"""Models come from the zoo, folders, archives and URLs, and nothing else."""

import functools
import http.server
import os
import threading

import pytest

import lebm_tf
from lebm_tf import zoo
from lebm_tf.errors import InputError
from lebm_tf.zoo import archives

NO_SUM = "0" * 64


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LEBM_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def packed(tmp_path):
    """(archive, its checksum)."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    path = tmp_path / "model.tar.gz"
    return path, zoo.pack(str(tmp_path / "model"), str(path))


@pytest.fixture
def url(packed):
    """Address of the archive on a server of this machine."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass
    handler = functools.partial(Quiet, directory=str(packed[0].parent))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/model.tar.gz"
    server.shutdown()
    server.server_close()


def refused(source, sha256=""):
    with pytest.raises(InputError) as error:
        zoo.folder(source, sha256)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_unknown_name_is_told_what_there_is():
    with pytest.raises(InputError) as error:
        lebm_tf.load("zoo:digit")
    assert "\n" not in str(error.value)
    for name in zoo.names():
        assert name in str(error.value)
    assert "got 'digit' (nearest: digits" in str(error.value)


def test_a_folder_is_itself_and_needs_no_checksum(tmp_path):
    assert zoo.folder(str(tmp_path)) == str(tmp_path)
    assert "sha256 must be left out without an archive" in refused(
        str(tmp_path), NO_SUM)


def test_an_archive_is_unpacked_once(packed, cache):
    path, checksum = packed
    found = zoo.folder(str(path), checksum.upper())
    assert found == zoo.folder(str(path)) == str(cache / checksum)
    assert os.listdir(found) == ["config.json"]
    assert os.listdir(cache) == [checksum]


def test_a_wrong_checksum_is_refused(packed, url, cache):
    for source in (str(packed[0]), url):
        assert f"must have the SHA-256 checksum {NO_SUM}, got {packed[1]}" in (
            refused(source, NO_SUM))
    assert not cache.exists() or not os.listdir(cache)
    assert "must have 64 hexadecimal digits, got '12'" in refused(url, "12")


def test_a_url_needs_a_checksum(url):
    assert f"got none for {url}" in refused(url)
    with pytest.raises(InputError, match="must be the checksum"):
        lebm_tf.load(url)
    assert "must start with https:// or http://" in refused(
        "file:///etc/hostname", NO_SUM)


def test_a_url_is_downloaded_once(url, packed, cache):
    found = zoo.folder(url, packed[1])
    assert os.listdir(found) == ["config.json"]
    packed[0].unlink()
    assert zoo.folder(url, packed[1]) == found
    assert "must be an archive on a server that answers, got HTTP Error" in (
        refused(url, NO_SUM))
    assert os.listdir(cache) == [packed[1]]


def test_a_download_above_the_bound_is_refused(url, packed, monkeypatch, cache):
    monkeypatch.setattr(archives, "MAX_BYTES", 50)
    assert f"{url} must have at most 50 bytes, got more" in refused(
        url, packed[1])
    assert not os.listdir(cache)


def test_an_archive_that_is_refused_leaves_nothing(packed, cache):
    path, _ = packed
    path.write_bytes(path.read_bytes()[:-20])
    assert "cut off" in refused(str(path))
    assert not os.listdir(cache)
