"""Tests of pictures of predicted paths."""

from PIL import Image
import numpy as np
import pytest

from lebm_tf.evaluation.trajectories.baseline import constant_velocity_samples
from lebm_tf.evaluation.trajectories.pictures import Scene, save_scenes

STEPS = np.arange(20.0)[:, None]
PATHS = np.stack([STEPS * [0.4, 0.1], STEPS * [-0.3, 0.2] + 3.0])


def scene(**changes):
    past, future = PATHS[:, :8], PATHS[:, 8:]
    sampled = constant_velocity_samples(past, 12, 5, seed=0)
    return Scene(**{"title": "zara, frame 10", "past": past, "future": future,
                    **sampled._asdict()} | changes)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), int)


def near(picture, colour, tolerance=40):
    """How many pixels have about a colour."""
    return int((abs(picture - colour).sum(-1) < tolerance).sum())


def test_a_picture_has_paths_in_all_their_colours(tmp_path):
    path = str(tmp_path / "scenes.png")
    save_scenes(path, [scene()] * 3, "m")
    picture = pixels(path)
    assert picture.shape[0] > 600 and picture.shape[1] > 700
    assert near(picture, (214, 39, 40)) > 300  # Observed.
    assert near(picture, (68, 1, 84)) > 300  # Lowest energy.
    assert near(picture, (157, 217, 59), 90) > 300  # Highest.


def test_equal_scenes_give_equal_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        save_scenes(str(tmp_path / name), [scene()], "m")
    assert (tmp_path / "a.png").read_bytes() == (
        tmp_path / "b.png").read_bytes()


def test_pixels_are_drawn_downwards(tmp_path):
    def rows_of_past(unit):
        save_scenes(str(tmp_path / f"{unit}.png"), [scene(
            past=np.linspace([0, 0], [0.1, 0], 8)[None],
            future=np.linspace([1, 0], [1, 9], 12)[None],
            predictions=np.zeros([1, 1, 12, 2]), energy=np.zeros([1, 1]))],
            unit)
        picture = pixels(tmp_path / f"{unit}.png")[:-80]  # No legend.
        red = abs(picture - (214, 39, 40)).sum(-1) < 40
        return np.flatnonzero(red.any(1)).mean() / len(picture)

    assert rows_of_past("px") < 0.4 < 0.6 < rows_of_past("m")


def test_equal_energies_are_drawn(tmp_path):
    path = str(tmp_path / "flat.png")
    save_scenes(path, [scene(energy=np.ones([2, 5]))], "m")
    assert near(pixels(path), (68, 1, 84)) > 300


@pytest.mark.parametrize("changes, message", [
    (dict(energy=np.zeros([2, 4])), r"a scene must have .* \[2, 4\]\.$"),
    (dict(past=PATHS[:1, :8]), r"a scene must have .* got \[1, 8, 2\]"),
    (dict(future=PATHS[:, 9:]), r"got \[2, 8, 2\], \[2, 11, 2\]"),
    (dict(energy=np.full([2, 5], np.nan)), "'zara, frame 10' must be finite"),
])
def test_a_scene_that_does_not_fit_is_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        save_scenes(str(tmp_path / "no.png"), [scene(**changes)], "m")
    assert not (tmp_path / "no.png").exists()


def test_no_scene_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one scene, got none"):
        save_scenes(str(tmp_path / "no.png"), [], "m")
