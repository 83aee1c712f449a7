"""PNG files in and out; damaged ones fail nobody else."""

import io
import zlib

from PIL import Image
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.serving import pictures
from tests.serving.conftest import call

READER = pictures.Png(tf.string, (), "", picture=(4, 5, 3))
PIXELS = np.random.default_rng(0).integers(0, 256, [4, 5, 3], np.uint8)


def png(pixels=PIXELS, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png", **options)
    return file.getvalue()


def read(*files):
    x, problems = tf.function(READER.read)("file", tf.constant(
        list(files), tf.string))
    return x.numpy(), [problem.decode() for problem in problems.numpy()]


def chunk(kind, data):
    return (len(data).to_bytes(4, "big") + kind + data
            + zlib.crc32(kind + data).to_bytes(4, "big"))


def damaged():
    good = png()
    start = good.index(b"IDAT")
    wrong = good[start + 4:start + 14][::-1]  # No deflate stream, sum is right.
    return {
        "empty": b"", "text": b"hello", "head only": good[:24],
        "cut": good[:-20], "flipped": good[:60] + b"\xff\xff" + good[62:],
        "stream": good[:33] + chunk(b"IDAT", wrong) + chunk(b"IEND", b""),
        "no pixels": good[:33] + chunk(b"IEND", b""),
        "other size": png(PIXELS[:3]), "long": good + b"\0" * 70_000,
        "jpeg": jpeg(), "huge": png(np.zeros([2000, 2000], np.uint8))}


def jpeg():
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "jpeg")
    return file.getvalue()


@pytest.mark.parametrize("name", damaged())
def test_a_damaged_file_is_said_and_its_neighbours_are_read(name):
    bad = damaged()[name]
    x, problems = read(png(), bad, png(PIXELS[::-1].copy()))
    assert problems[0] == problems[2] == ""
    assert problems[1].startswith(
        "file must be a PNG file of 5x4 pixels and at most 65856 bytes, got "
        f"{len(bad)} bytes ")
    kinds = {True: "that can not be decoded.",
             False: "of another format or size."}
    fits = bad.startswith(png()[:24]) and len(bad) < 65_856
    assert problems[1].endswith(kinds[fits])
    for found, pixels in ((x[0], PIXELS), (x[2], PIXELS[::-1])):
        np.testing.assert_allclose(found, pixels / 127.5 - 1, atol=1e-6)


def test_nothing_but_damaged_files_and_no_files_at_all():
    x, problems = read(b"", b"?")
    assert x.shape == (2, 4, 5, 3) and all(problems)
    x, problems = read()
    assert x.shape == (0, 4, 5, 3) and not problems


@pytest.mark.parametrize("file", [
    png(np.dstack([PIXELS, np.full([4, 5], 255, np.uint8)])),
    png(PIXELS[..., :1].repeat(3, 2))], ids=["alpha", "grey"])
def test_other_kinds_of_png_are_read_as_the_models_channels(file):
    x, problems = read(file)
    assert problems == [""]
    assert x.shape == (1, 4, 5, 3)


def test_pictures_survive_the_way_out_and_in():
    x, problems = read(*pictures.encode(
        tf.constant(PIXELS[None].astype(np.float32) / 127.5 - 1)).numpy())
    assert problems == [""]
    np.testing.assert_allclose(x[0], PIXELS / 127.5 - 1, atol=1e-6)


def test_sample_png_and_score_png_equal_sample_and_score(exported):
    seed = np.array([3, -4, 5], np.int64)
    drawn = call(exported.served["sample"], seed=seed)
    files = call(exported.served["sample_png"], seed=seed)
    np.testing.assert_array_equal(files["z"], drawn["z"])
    x = []
    for file, expected in zip(files["png_bytes"], drawn["x"]):
        with Image.open(io.BytesIO(file)) as picture:
            x.append(np.asarray(picture))
        np.testing.assert_allclose(x[-1], (expected + 1) * 127.5, atol=0.5001)
    scored = call(exported.served["score"], seed=seed,
                  x=np.stack(x).astype(np.float32) / 127.5 - 1)
    from_png = call(exported.served["score_png"], seed=seed,
                    png_bytes=files["png_bytes"])
    assert not any(from_png["status"])
    for name in set(scored) - {"status"}:
        np.testing.assert_allclose(from_png[name], scored[name], rtol=1e-4)
