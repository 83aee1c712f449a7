"""The table of translations, from figures that are known."""

from benchmarks import translation


def figures(accuracy):
    return {"training/seconds": 60.0, **{
        f"translation/{direction}/{name}": value
        for direction in ("ab", "ba") for name, value in (
            ("accuracy", accuracy), ("accuracy_start", accuracy - 0.1),
            ("accuracy_identity", 0.4), ("accuracy_real", 0.9),
            ("cycle_error", 0.05))}}


def test_means_and_seeds_stand_beside_floor_and_ceiling():
    text = translation.table({"runs": {"mnist_usps": {
        "cycle alone": {"1": figures(0.3)},
        "both": {"1": figures(0.5), "2": figures(0.7)}}}})
    assert "| as they are | 0.400 | 0.400 |" in text
    assert "| the target's own | 0.900 |" in text
    assert "| cycle alone | 0.300 | 0.300 | 0.050, 0.050 | 1.0 |" in text
    assert "| both | 0.600 (0.500, 0.700) |" in text
    assert "| both, not revised | 0.500 (0.400, 0.600) |" in text
    assert "cycle alone, not revised" not in text
