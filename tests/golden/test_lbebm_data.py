"""Trajectories against the programs of LB-EBM's authors, number for number."""

import numpy as np

from lebm_tf.datasets.trajectories.transforms import (
    normalised, plan, reversed_in_time, social_mask)
from lebm_tf.datasets.trajectories.windows import Recording, cut_windows
from lebm_tf.evaluation.trajectories.metrics import nearest_plan_errors
from tests.golden.reference import Reference, assert_close, assert_read

LBEBM = Reference("lbebm").arrays
CONFIG = Reference("lbebm").config
PAST = CONFIG["past_length"]


def test_batches_are_normalised_and_reversed_as_theirs():
    xy = LBEBM["sdd/train_raw_xy"]
    past, future = xy[:, :PAST], xy[:, PAST:]
    for theirs, ours in zip(LBEBM["sdd/train_batches"], (
            (past, future), reversed_in_time(past, future))):
        both = np.concatenate(ours, axis=1)
        assert_close(normalised(both, ours[0], CONFIG["data_scale"]), theirs)


def test_plan_and_mask_are_theirs():
    future = LBEBM["sdd/train_batches"][0][:, PAST:]
    assert_close(plan(future).reshape(len(future), -1), LBEBM["sdd/plan"])
    mask = LBEBM["sdd/mask"]
    assert_close(social_mask(np.argmax(mask, axis=1)), mask)


def eth_windows(close_gaps):
    """Windows of their rows; gaps closed as their loader does, or not."""
    frame, agent, *xy = LBEBM["eth/rows"].T.copy()
    if close_gaps:
        for who in np.unique(agent):
            rows = agent == who
            frame[rows] = frame[rows][0] + 10 * np.arange(rows.sum())
    return cut_windows(Recording(
        "eth", frame.astype(np.int64), agent.astype(np.int64),
        np.stack(xy, 1)), CONFIG["obs"], CONFIG["preds"], 10)


def test_windows_are_theirs_once_gaps_are_closed():
    windows = eth_windows(close_gaps=True)
    theirs = {
        (who, frames[0]): np.concatenate([src[:, :2], trg[:, :2]])
        for who, frames, src, trg in zip(*(
            LBEBM[f"eth/{key}"] for key in ("peds", "frames", "src", "trg")))}
    ours = windows.tracks
    assert len(theirs) == len(ours.past) and windows.num_gaps == 0
    for who, start, past, future in zip(windows.agent, ours.start, ours.past,
                                        ours.future):
        # Theirs pass through float32.
        np.testing.assert_allclose(np.concatenate([past, future]),
                                   theirs[who, start], rtol=1e-6)


def test_a_window_that_they_cut_across_a_gap_is_none_of_ours():
    assert (np.diff(LBEBM["eth/frames"], axis=1) > 10).any(1).all()
    windows = eth_windows(close_gaps=False)
    assert not len(windows.agent)
    assert windows.num_gaps == len(set(LBEBM["eth/rows"][:, 1]))


def test_the_nearest_plan_gives_their_errors():
    scale = CONFIG["data_scale"]
    truth = LBEBM["sdd/test_batches"][0][:, PAST:] / scale
    plans = np.swapaxes(LBEBM["sdd/test/plans"], 0, 1).reshape(
        len(truth), -1, 4, 2) / scale
    best = LBEBM["sdd/test/best_index"]
    # They predict from the best plan only; the others must not count.
    predictions = np.full((*plans.shape[:2], *truth.shape[1:]), 1e6)
    predictions[np.arange(len(best)), best] = (
        LBEBM["sdd/test/predicted_future"] / scale)
    errors = nearest_plan_errors(predictions, truth, plans)
    assert_close(errors.ade.mean(), LBEBM["sdd/test/ade"])
    assert_close(errors.fde.mean(), LBEBM["sdd/test/fde"])


def test_every_key_of_the_data_is_read(request):
    assert_read(request, "lbebm")
