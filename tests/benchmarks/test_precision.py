"""The curves in both precisions, as a table and a picture."""

from PIL import Image
import pytest

from benchmarks import precision

CURVES = {"steps": list(range(10, 110, 10)),
          "loss/generator": [float(value) for value in range(100, 0, -10)],
          "loss/energy": [0.5] * 10}
RESULTS = {"runs": {name: {"0": CURVES, "1": CURVES}
                    for name in precision.PRECISIONS}}


def test_a_loss_at_the_end_is_a_mean_of_the_last_points():
    assert precision.at_the_end(CURVES["loss/generator"]) == 30.0
    lines = precision.table(RESULTS).split("\n")
    assert lines[2] == "| float32, seed 0 | 30 | 0.5 |"
    assert lines[5] == "| mixed_bfloat16, seed 1 | 30 | 0.5 |"
    assert lines[-2] == "Mean of steps 40 to 0 before the end, 5 points."


def test_curves_are_drawn(tmp_path):
    path = str(tmp_path / "curves.png")
    precision.draw(path, RESULTS)
    assert min(Image.open(path).size) > 200


@pytest.mark.parametrize("steps", [40, 55])
def test_too_few_points_are_refused(steps):
    with pytest.raises(ValueError, match="steps must be a multiple of 10"):
        precision.PrecisionBenchmark(steps=steps)
