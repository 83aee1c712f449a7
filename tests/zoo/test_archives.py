"""Archives hold plain files that stay in their folder, within bounds."""

import gzip
import io
import os
import tarfile

import pytest

from lebm_tf import zoo
from lebm_tf.errors import InputError
from lebm_tf.zoo import archives


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "model"
    (path / "inner").mkdir(parents=True)
    (path / "config.json").write_text("{}")
    (path / "inner" / "numbers").write_bytes(bytes(range(256)) * 40)
    return path


def unpacked(path, tmp_path):
    target = tmp_path / "unpacked"
    target.mkdir()
    zoo.unpack(str(path), str(target))
    return target


def refused(path, tmp_path):
    with pytest.raises(InputError) as error:
        unpacked(path, tmp_path)
    assert "\n" not in str(error.value)
    return str(error.value)


def archive(tmp_path, *entries):
    """An archive of (name, content) and of ready entries without content."""
    path = tmp_path / "bad.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                file.addfile(entry)
                continue
            name, content = entry
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def test_files_come_back_and_equal_files_give_equal_archives(
        folder, tmp_path):
    first, second = tmp_path / "a.tar.gz", tmp_path / "b.tar.gz"
    checksum = zoo.pack(str(folder), str(first))
    os.utime(folder / "config.json", (0, 0))
    assert zoo.pack(str(folder), str(second)) == checksum
    found = unpacked(first, tmp_path)
    for name in ("config.json", "inner/numbers"):
        assert (found / name).read_bytes() == (folder / name).read_bytes()
    assert zoo.checksum(str(first)) == checksum and len(checksum) == 64


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/../../out", "..",
                                  "a\\..\\out"])
def test_an_entry_that_leaves_the_folder_is_refused(name, tmp_path):
    message = refused(archive(tmp_path, (name, b"1")), tmp_path)
    assert "every entry must stay in its folder" in message and (
        repr(name) in message)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [
    tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(kind, tmp_path):
    entry = tarfile.TarInfo("config.json")
    entry.type, entry.linkname = kind, "/etc/hostname"
    assert "must be a plain file or a folder" in refused(
        archive(tmp_path, entry), tmp_path)


def test_two_entries_of_one_name_are_refused(tmp_path):
    assert "damaged" in refused(
        archive(tmp_path, ("a", b"1"), ("a", b"2")), tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.4, 0.99])
def test_an_archive_that_is_cut_off_is_refused(share, folder, tmp_path):
    path = tmp_path / "cut.tar.gz"
    zoo.pack(str(folder), str(path))
    path.write_bytes(path.read_bytes()[:int(share * path.stat().st_size)])
    assert "must be a whole .tar.gz archive, got one that is damaged or cut " \
        "off" in refused(path, tmp_path)


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    for content in (b"no archive", gzip.compress(b"no archive" * 100)):
        path = tmp_path / "x.tar.gz"
        path.write_bytes(content)
        with pytest.raises(InputError, match="must be a whole .tar.gz"):
            zoo.unpack(str(path), str(tmp_path))


def test_contents_above_the_bound_are_refused(folder, tmp_path, monkeypatch):
    """They are counted while they are unpacked, so a small archive of a large
    file fills no disk."""
    path = tmp_path / "large.tar.gz"
    zoo.pack(str(folder), str(path))
    monkeypatch.setattr(archives, "MAX_BYTES", 10_000)
    assert path.stat().st_size < 10_000
    assert "must have at most 10,000 bytes, got more" in refused(
        path, tmp_path)


def test_too_many_entries_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_ENTRIES", 2)
    path = archive(tmp_path, *((str(i), b"") for i in range(3)))
    assert "must have at most 2 entries" in refused(path, tmp_path)
