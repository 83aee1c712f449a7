"""Metrics that a hand can check: protocols of the authors, and usual ones."""

import numpy as np
import pytest
from sklearn import metrics

from lebm_tf.evaluation.anomaly import precision_recall_area
from lebm_tf.evaluation.symbols.metrics import homogeneity, symbol_information
from lebm_tf.evaluation.text.sequences import perplexity
from lebm_tf.evaluation.trajectories.metrics import (
    minimum_errors, nearest_plan_errors)
from tests.golden.reference import Reference, assert_close, assert_read

METRICS = Reference("metrics").arrays


def cases(kind):
    return sorted({key.split("/")[1] for key in METRICS
                   if key.startswith(f"{kind}/")})


@pytest.mark.parametrize("case", cases("mutual_information"))
def test_information(case):
    logits = METRICS[f"mutual_information/{case}/logits"]
    e = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(
        symbol_information(e / e.sum(1, keepdims=True)),
        METRICS[f"mutual_information/{case}/value"], atol=1e-12)


@pytest.mark.parametrize("case", cases("homogeneity"))
def test_homogeneity_is_that_of_the_whole_set(case):
    key = f"homogeneity/{case}"
    labels, clusters = (METRICS[f"{key}/{name}"]
                        for name in ("labels", "clusters"))
    np.testing.assert_allclose(homogeneity(labels, clusters),
                               METRICS[f"{key}/value"], atol=1e-12)
    if f"{key}/mean_over_batches_of_10" in METRICS:
        parts = [homogeneity(labels[i:i + 10], clusters[i:i + 10])
                 for i in range(0, len(labels), 10)]
        np.testing.assert_allclose(
            np.mean(parts), METRICS[f"{key}/mean_over_batches_of_10"])
        assert np.mean(parts) > 3 * METRICS[f"{key}/value"]  # By chance.


@pytest.mark.parametrize("case", cases("auprc"))
def test_areas_under_precision_and_recall(case):
    labels, scores, precision, recall, steps, area = (
        METRICS[f"auprc/{case}/{name}"] for name in (
            "labels", "scores", "precision", "recall", "average_precision",
            "trapezoid"))
    np.testing.assert_allclose(precision_recall_area(labels, scores), area)
    np.testing.assert_allclose(
        metrics.precision_recall_curve(labels, scores)[:2],
        (precision, recall))
    np.testing.assert_allclose(
        -np.sum(np.diff(recall) * precision[:-1]), steps)


def test_perplexity_counts_ends_and_no_padding():
    def read(name):
        return METRICS[f"perplexity/{name}"]
    targets, mask, nll = read("targets"), read("mask"), read("token_nll")
    np.testing.assert_array_equal(targets, read("tokens")[:, 1:])
    np.testing.assert_array_equal(mask, targets != 0)
    np.testing.assert_allclose(
        mask * nll, -mask * np.log(read("target_probability")), atol=1e-12)
    rows = (mask * nll).sum(1)
    assert mask.sum() == read("num_tokens")
    np.testing.assert_allclose(rows.sum(), read("sum_nll"))
    np.testing.assert_allclose(rows.mean(), read("nll_per_sentence"))
    np.testing.assert_allclose(perplexity(rows, mask.sum()), read("value"))
    words = mask * (targets != 3)
    for name, wrong in (
            ("without_eos", np.exp((words * nll).sum() / words.sum())),
            ("mean_of_sentence_perplexities",
             np.exp(rows / mask.sum(1)).mean()),
            ("counting_pad", np.exp(nll.sum() / nll.size))):
        np.testing.assert_allclose(wrong, read(f"wrong_{name}"))
        assert abs(wrong - read("value")) > 0.01


def read(name):
    return METRICS[f"trajectory/{name}"]


@pytest.mark.parametrize("errors, ade, fde", [
    (minimum_errors, "min_ade", "min_fde"),
    (nearest_plan_errors, "plan_protocol_ade", "plan_protocol_fde")])
def test_protocols_give_the_reference_figures(errors, ade, fde):
    found = errors(np.swapaxes(read("samples"), 0, 1), read("truth"))
    assert_close(found.ade.mean(), read(ade))
    assert_close(found.fde.mean(), read(fde))
    if ade == "plan_protocol_ade":
        assert_close(found.ade.mean() / read("data_scale"),
                     read("plan_protocol_ade_divided"))


def test_each_protocol_picks_its_own_sample():
    """Samples are off by a multiple of (3, 4), the last step by another."""
    gap = np.linalg.norm(read("samples") - read("truth"), axis=-1)
    ade, fde = gap.mean(-1), gap[..., -1]
    assert_close(ade, read("ade_per_sample"))
    assert_close(fde, read("fde_per_sample"))
    assert_close(gap[..., 0], 5.0 * read("multiplier"))
    assert_close(fde, 5.0 * read("multiplier_last"))
    plan = np.sqrt((gap[..., read("plan_indexes")]**2).sum(-1))
    assert_close(plan, read("plan_error"))
    agents = np.arange(gap.shape[1])
    for error, index in ((ade, "ade"), (fde, "endpoint"), (plan, "plan")):
        np.testing.assert_array_equal(error.argmin(0),
                                      read(f"index_by_{index}"))
    assert_close(fde[ade.argmin(0), agents].mean(), read("fde_at_min_ade"))
    assert_close(ade[fde.argmin(0), agents].mean(), read("ade_at_min_fde"))


def test_every_key_is_read(request):
    assert_read(request, "metrics")
