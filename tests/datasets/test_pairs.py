"""Two domains: how they are read, drawn, cropped and flipped."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.configuration.data import PairOptions
from lebm_tf.datasets import ImageData, load_dataset, train_batches
from lebm_tf.datasets.images.pair_batches import augmented, pair_rows
from lebm_tf.datasets.images.pair_loading import without_repeats
from lebm_tf.datasets.images.pairs import PairData, made
from lebm_tf.errors import InputError


def domain(name, count, side=4, channels=3, first=0):
    """Every picture is of one colour, its number."""
    x = np.broadcast_to(np.arange(first, first + count, dtype=np.uint8)[
        :, None, None, None], (count, side, side, channels))
    return ImageData(name, x, x[:2])


def pair(**options):
    return PairData("pair", domain("a", 12), domain("b", 7, first=100),
                    PairOptions(**options))


def numbers(data, batch_size, seed, steps, start=0):
    """The pictures of each step, domain -> [steps, batch]."""
    batches = train_batches(data, batch_size, seed, start).take(steps)
    found = {"a": [], "b": []}
    for batch in batches:
        for name, x in batch["x"].items():
            found[name].append(np.rint((x[:, 0, 0, 0] + 1) * 127.5))
    return {name: np.stack(rows).astype(int) for name, rows in found.items()}


def test_every_domain_has_epochs_of_its_own_in_which_each_picture_comes_once():
    drawn = numbers(pair(), 3, 1, 8)
    np.testing.assert_array_equal(np.sort(drawn["a"][:4].ravel()),
                                  np.arange(12))
    for epoch in range(4):  # Of b, 2 steps of 3; one picture waits.
        part = drawn["b"][2 * epoch:2 * epoch + 2].ravel()
        assert len(set(part)) == 6 and 100 <= part.min() <= part.max() < 107
    assert np.any(drawn["a"][:4] != drawn["a"][4:])
    assert np.any(drawn["b"][:2] != drawn["b"][2:4])


def test_domains_of_one_size_are_drawn_independently():
    data = PairData("pair", domain("a", 12), domain("b", 12))
    drawn = numbers(data, 12, 3, 2)
    assert np.any(drawn["a"] != drawn["b"])
    np.testing.assert_array_equal(np.sort(drawn["b"][1]), np.arange(12))


def test_serial_draws_pair_as_the_authors_do():
    drawn = numbers(pair(draws="serial"), 3, 1, 4)
    np.testing.assert_array_equal(drawn["b"] - 100, drawn["a"] % 7)


def test_a_stream_goes_on_at_any_step():
    data = pair(margin=2, flip=True)
    whole = list(train_batches(data, 3, 5).take(6))
    rest = list(train_batches(data, 3, 5, start_step=4).take(2))
    for batch, again in zip(whole[4:], rest):
        tf.nest.map_structure(np.testing.assert_array_equal, batch, again)
    other = next(iter(train_batches(data, 3, 6)))
    assert np.any(other["x"]["a"] != whole[0]["x"]["a"])


def test_replicas_together_read_what_one_would():
    data = pair(margin=1, flip=True)
    whole = next(iter(train_batches(data, 6, 2)))
    parts = list(train_batches(data, 6, 2, 0, tf.distribute.InputContext(
        1, 0, 2)).take(2))
    joined = tf.nest.map_structure(lambda *x: tf.concat(x, 0), *parts)
    tf.nest.map_structure(np.testing.assert_array_equal, whole, joined)


def test_crops_are_windows_and_flips_mirror_half_of_the_pictures():
    x = tf.constant(np.random.default_rng(0).uniform(
        -1, 1, [1, 6, 6, 3]), tf.float32)
    options = PairOptions(margin=3)
    large = np.clip(tf.image.resize(x, [9, 9], "bicubic"), -1, 1)
    for row, column in ((0, 0), (3, 1)):
        window = augmented(x, options, tf.constant(
            [[(row + 0.5) / 4, (column + 0.5) / 4, 0.9]]))
        np.testing.assert_array_equal(
            window, large[:, row:row + 6, column:column + 6])
    flipped = augmented(x, PairOptions(flip=True), tf.constant([[0, 0, 0.4]]))
    np.testing.assert_array_equal(flipped, x[:, :, ::-1])
    np.testing.assert_array_equal(x, augmented(
        x, PairOptions(flip=True), tf.constant([[0, 0, 0.6]])))


def test_what_is_made_has_a_known_truth_and_shares_no_training_picture():
    data = load_dataset("pair:digits,digits", pair=PairOptions(
        made="inverted"))
    assert data.is_paired
    np.testing.assert_array_equal(data.a.x_test, 255 - data.b.x_test)
    np.testing.assert_array_equal(data.a.y_test, data.b.y_test)
    a, b = (set(map(bytes, x)) for x in (
        data.a.x_train, 255 - data.b.x_train))
    digits = load_dataset("digits")
    assert len(data.a.x_train) + len(data.b.x_train) == len(digits.x_train)
    assert len(a & b) <= 1  # Two digits may look alike.


def test_colours_are_turned_and_edges_found():
    x = np.zeros([1, 4, 4, 3], np.uint8)
    x[..., 0] = 200
    turned = made(x, "turned", "it")
    np.testing.assert_array_equal(turned[0, 0, 0], [0, 200, 0])
    x[:, :, 2:] = 255
    edges = made(x, "edges", "it")
    assert edges[0, 2, 0, 0] == 0 and edges[0, 2, 2, 0] > 100
    with pytest.raises(InputError, match="turned needs color images, got "
                                         "images with 1 channel"):
        made(x[..., :1], "turned", "it")


def test_files_that_repeat_are_left_out():
    kept = without_repeats({
        "trainA": [b"1", b"1", b"2", b"x"], "testA": [b"2", b"3", b"7"],
        "trainB": [b"4", b"x"], "testB": [b"1", b"5", b"7"]})
    assert kept == {"trainA": [b"1", b"2"], "testA": [b"3"],
                    "trainB": [b"4"], "testB": [b"5"]}


def test_a_batch_is_no_larger_than_a_domain_that_is_drawn_alone():
    with pytest.raises(InputError, match="batch_size must be at most 7, the "
                                         "number of training images in domain"):
        pair_rows(pair(), 8, 0)
    pair_rows(pair(draws="serial"), 8, 0)


@pytest.mark.parametrize("name, options, message", [
    ("pair:digits", {}, "must be pair:A,B with two image data sets"),
    ("pair:digits,", {}, "must be pair:A,B with two image data sets"),
    ("pair:digits,digits", {}, "needs two different domains, got digits twice"
     "; use --pair_same"),
    ("pair:npz:{tmp}/x.npz,npz:{tmp}/../{last}/x.npz", {},
     "needs two different domains"),
    ("pair:digits,npz:{tmp}/x.npz", {}, "needs two domains of one shape, got "
     "8x8x1 in digits and 4x4x3 in npz:"),
    ("pair:digits,npz:{tmp}/empty.npz", {}, "x_train must hold at least one"),
    ("pair:digits,folder:{tmp}", {}, "needs at least 2 images"),
    ("pair:digits,folder:{tmp}/none", {}, "needs a folder, got no folder"),
    ("pair:digits,ptb", {}, "needs two data sets of images, got ptb"),
    ("pair:digits,npz:{tmp}/x.npz", {"made": "edges"},
     "pair_made needs the same data set twice"),
    ("pair:horse2zebra", {"made": "edges"}, "pair_made must be left out for")])
def test_what_is_no_pair_is_refused(tmp_path, name, options, message):
    x = np.zeros([3, 4, 4, 3], np.uint8)
    np.savez(tmp_path / "x.npz", x_train=x, x_test=x)
    np.savez(tmp_path / "empty.npz", x_train=x[:0], x_test=x)
    with pytest.raises(InputError, match=message):
        load_dataset(name.format(tmp=tmp_path, last=tmp_path.name),
                     pair=PairOptions(**options))


def test_the_same_domain_twice_can_be_insisted_on():
    data = load_dataset("pair:digits,digits", pair=PairOptions(same=True))
    assert not data.is_paired and data.a.shape == data.b.shape
