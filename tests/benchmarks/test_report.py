"""Tables say what the figures say."""

import pytest

from benchmarks.timing import report


def side(seconds, precision="float32", program="ours", **more):
    return {"program": program, "precision": precision, "first_seconds": 4.0,
            "peak_megabytes": 800.0, "about": {"traces": 1, "threads": 2},
            "seconds": report.summary(seconds), **more}


def case(flops, sides, **more):
    return {"flops": flops, "inner_flops": flops // 2, "items": 0,
            "busy": 0.0, "source": "a", "sides": sides, **more}


RESULTS = {
    "machine": {"processor": "P", "cpus": 2, "instructions": ["avx2"],
                "memory_gigabytes": 8.0, "system": "L", "python": "3"},
    "cases": {
        "limit/float32": case(10**11, {
            "TensorFlow": side([1.0, 1.1, 0.9]),
            "PyTorch": side([0.5, 0.5, 0.4])}),
        "limit/bfloat16": case(10**11, {"TensorFlow": side(
            [0.25], "bfloat16")}),
        "agreement/svhn": case(0, {"PyTorch eager": {
            "record": {"end/prior": 1.2e-7}}}),
        "train/svhn": case(10**11, {
            "lebm_tf float32": side([1.0, 3.0, 2.0]),
            "lebm_tf mixed_bfloat16": side([0.5], "bfloat16"),
            "PyTorch eager": side([4.0], program="peer"),
            "PyTorch bfloat16": side([1.5], "bfloat16", "peer"),
            "PyTorch compile": {"program": "peer", "precision": "float32",
                                "failed": "no compiler"}})}}


def row(text, start):
    line, = [line for line in text.splitlines() if line.startswith(start)]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_seconds_become_median_and_ends():
    found = report.summary([3.0, 1.0, 2.0, 10.0])
    assert found == {"median": 2.5, "min": 1.0, "max": 10.0, "runs": 4,
                     "p99": 10.0}


def test_the_limit_is_that_of_the_faster_program():
    assert report.limits(RESULTS) == {"float32": 2e11, "bfloat16": 4e11}


def test_ratios_are_to_eager_and_to_the_best_variant():
    assert report.ratios(RESULTS["cases"]["train/svhn"]) == {
        "lebm_tf float32 / PyTorch eager": 2.0,
        "lebm_tf float32 / best, PyTorch bfloat16": 0.75,
        "lebm_tf mixed_bfloat16 / PyTorch eager": 8.0,
        "lebm_tf mixed_bfloat16 / best, PyTorch bfloat16": 3.0}


def test_a_row_has_the_figures_and_their_share_of_the_limit():
    text = report.markdown(RESULTS)
    assert row(text, "| train/svhn | lebm_tf float32 | 2 ") == [
        "train/svhn", "lebm_tf float32", "2", "1", "3", "3", "2.00", "50",
        "25%", "12%", "800", "4", "1"]
    # Half a second, but of bfloat16, whose limit is twice as high.
    assert row(text, "| train/svhn | lebm_tf mixed_bfloat16 | 0.5")[7:10] == [
        "200", "50%", "25%"]


def test_a_failure_and_an_agreement_stand_in_the_table():
    text = report.markdown(RESULTS)
    assert "| train/svhn | PyTorch compile | failed: no compiler |" in text
    assert row(text, "| agreement/svhn")[2] == "end/prior 1.2e-07"
    assert "threads of peer: 2" in text


def test_tables_without_a_limit_leave_its_columns_out():
    alone = {**RESULTS, "cases": {
        "train/svhn": RESULTS["cases"]["train/svhn"]}}
    assert "of limit" not in report.markdown(alone)
    assert report.limits(alone) == {}


@pytest.mark.parametrize("sides", [
    {"PyTorch eager": side([1.0])}, {"lebm_tf float32": side([1.0])}])
def test_one_program_alone_has_no_ratio(sides):
    assert report.ratios(case(1, sides)) == {}
