"""Tests of the user's own pictures."""

import zlib

from PIL import Image
import numpy as np
import pytest

from lebm_tf.datasets.loading import load_dataset
from lebm_tf.errors import InputError


@pytest.fixture
def folder(tmp_path):
    """Thirty grey pictures of several formats, in two folders; the file
    number is the grey level."""
    for number in range(30):
        suffix = (".png", ".BMP", ".webp", ".gif", ".jpg")[number % 5]
        path = tmp_path / f"part{number % 2}" / f"{number:02}{suffix}"
        path.parent.mkdir(exist_ok=True)
        grey = np.full([12 + number, 20, 3], number, np.uint8)
        options = {"lossless": True} if suffix == ".webp" else {}
        Image.fromarray(grey).save(path, **options)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def levels(images):
    return [int(image[0, 0, 0]) for image in images]


def test_pictures_are_found_in_order_and_framed(folder):
    data = load_dataset(f"folder:{folder}", image_size=8)
    assert data.shape == (8, 8, 3) and data.x_train.dtype == np.uint8
    assert sorted(levels(data.x_train) + levels(data.x_test)) == list(
        range(30))
    # In the order of the names, part0/ (even numbers) before part1/ (odd).
    order = [level % 2 * 100 + level for level in levels(data.x_train)]
    assert order == sorted(order)


def test_the_default_size_is_64(folder):
    assert load_dataset(f"folder:{folder}").shape == (64, 64, 3)


def test_about_a_tenth_is_held_out_and_stays_held_out(folder):
    name = f"folder:{folder}"
    before = levels(load_dataset(name, image_size=4).x_test)
    assert 1 <= len(before) <= 8
    Image.new("RGB", (9, 9), (99, 99, 99)).save(folder / "new.png")
    after = levels(load_dataset(name, image_size=4).x_test)
    assert set(after) - {99} == set(before)


def test_two_pictures_give_one_of_each_part(tmp_path):
    for number in range(2):
        Image.new("L", (9, 9)).save(tmp_path / f"{number}.png")
    data = load_dataset(f"folder:{tmp_path}", image_size=4)
    assert len(data.x_train) == len(data.x_test) == 1


def test_orientation_is_applied_and_modes_become_rgb(tmp_path):
    for number, mode in enumerate(("P", "RGBA", "L", "1", "CMYK", "LA")):
        Image.new(mode, (9, 9)).save(
            tmp_path / f"{number}.{'jpg' if mode == 'CMYK' else 'png'}")
    exif = Image.Exif()
    exif[0x0112] = 6  # Turn by a quarter: the left edge comes to the top.
    bars = np.zeros([16, 16, 3], np.uint8)
    bars[:, :8] = 255
    Image.fromarray(bars).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    data = load_dataset(f"folder:{tmp_path}", image_size=16)
    turned = np.concatenate([data.x_train, data.x_test]).max(axis=0)
    assert turned[2].min() > 200


def test_a_folder_that_is_missing_or_empty_is_named(tmp_path):
    with pytest.raises(InputError, match="got no folder at .*nowhere"):
        load_dataset(f"folder:{tmp_path / 'nowhere'}")
    with pytest.raises(InputError, match=r"at least 2 images \(.png, .jpg, "
                                         ".*, got 0 in"):
        load_dataset(f"folder:{tmp_path}")


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_an_unreadable_picture_is_named(folder, content):
    whole = (folder / "part1" / "05.png").read_bytes()
    bad = folder / "part1" / "07.png"
    bad.write_bytes(whole[:60] if content is None else content)
    with pytest.raises(InputError, match="07.png cannot be read as an image"):
        load_dataset(f"folder:{folder}", image_size=8)


def test_pictures_of_16_bits_are_refused_not_clipped(folder):
    deep = np.full([9, 9], 40_000, np.uint16)
    Image.fromarray(deep).save(folder / "deep.png")
    with pytest.raises(InputError, match="deep.png must have 8 bits per "
                                         "channel, got Pillow mode I;16"):
        load_dataset(f"folder:{folder}", image_size=8)


def test_a_crop_outside_one_picture_names_that_picture(folder):
    with pytest.raises(InputError, match="got 12x20 images in part0/00.png"):
        load_dataset(f"folder:{folder}", crop="0,0,14,14")


def test_leftovers_and_other_formats_are_left_out_and_counted(
        folder, tmp_path_factory):
    before = load_dataset(f"folder:{folder}", image_size=8)
    (folder / "__MACOSX").mkdir()
    for name in ("._a.jpg", "__MACOSX/._b.png", "c.heic", "d.HEIC", "e.tif"):
        (folder / name).write_bytes(b"no picture")
    outside = tmp_path_factory.mktemp("outside")
    Image.new("RGB", (9, 9)).save(outside / "secret.png")
    (folder / "link.png").symlink_to(outside / "secret.png")
    data = load_dataset(f"folder:{folder}", image_size=8)
    np.testing.assert_array_equal(data.x_train, before.x_train)
    assert data.counts == {
        "macOS metadata": 2, "links out of the folder": 1,
        ".heic not read, save as .png or .jpg": 2,
        ".tif not read, save as .png or .jpg": 1}
    assert ".heic not read, save as .png or .jpg 2" in data.describe()


def test_a_folder_of_other_formats_says_how_to_read_them(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.heic").write_bytes(b"no picture")
    with pytest.raises(InputError, match="got 0 .*heic not read, save as"):
        load_dataset(f"folder:{tmp_path}")


def test_a_picture_of_a_huge_size_is_refused(folder):
    """Its file is small: a header, and no pixels."""
    def chunk(kind, content):
        return (len(content).to_bytes(4, "big") + kind + content
                + zlib.crc32(kind + content).to_bytes(4, "big"))
    size = (100_000).to_bytes(4, "big")
    (folder / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size * 2 + b"\x08\0\0\0\0")
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b""))
    with pytest.raises(InputError, match="bomb.png cannot be read as an image"):
        load_dataset(f"folder:{folder}")
