"""Files of long chains for ArviZ, and diagnostics."""

import contextlib
from typing import Any, Mapping

import numpy as np
import tensorflow as tf

from lebm_tf import files
from lebm_tf.evaluation.latents.annealing import log_mean_exp
from lebm_tf.evaluation.latents.long_chains import Records
from lebm_tf.mcmc import (
    bulk_effective_sample_size, rank_r_hat, tail_effective_sample_size)

_MISSING = ("ArviZ is not installed, so the chains are written as an .npz file "
            "with the names of an InferenceData; pip install "
            "'lebm_tf[chains]'.")


def write(path: str, records: Records, values: Mapping[str, np.ndarray],
          attributes: Mapping[str, Any]) -> tuple[str, str]:
    """Writes an ArviZ InferenceData as netCDF, or an .npz with the same names.

    Args:
        path: Path without an ending.
        records: The records to write.
        values: Further values of every record, [records, chains] each.
        attributes: Attributes of the file, strings and numbers.

    Returns:
        The path with its ending, and a message for the user, or "".
    """
    names = ["z"] if len(records.position) == 1 else [
        f"z{i + 1}" for i in range(len(records.position))]
    posterior: dict[str, Any] = {
        name: leaf.swapaxes(0, 1) for name, leaf in zip(
            names, records.position)}
    posterior |= {name: value.T for name, value in values.items()}
    stats: dict[str, Any] = {
        "lp": records.log_prob.T, "model_energy": records.energy.T,
        "acceptance_rate": records.accept_prob.T}
    try:
        import arviz
    except ImportError:
        path += ".npz"
        with files.atomic_path(path) as temporary:
            np.savez(temporary, **posterior, **stats)
        return path, _MISSING
    path += ".nc"
    data = arviz.from_dict(posterior=posterior, sample_stats=stats,
                           attrs=dict(attributes))
    with files.atomic_path(path) as temporary:
        data.to_netcdf(temporary, engine="h5netcdf")
    return path, ""


def diagnosed(values: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Rank-normalized split R-hat and bulk and tail effective sample sizes by
    name, with those of ArviZ where it is installed.

    Args:
        values: float [records, chains] each.

    Raises:
        ValueError: If there are fewer than 2 chains or 4 records.
    """
    arviz: Any = None
    with contextlib.suppress(ImportError):
        import arviz
    found = {}
    for name, value in values.items():
        value = np.asarray(value, np.float64)
        row = {"r_hat": float(rank_r_hat(value)),
               "bulk_ess": float(bulk_effective_sample_size(value)),
               "tail_ess": float(tail_effective_sample_size(value))}
        if arviz is not None:
            chains = value.T
            row |= {"arviz_r_hat": float(arviz.rhat(chains)),
                    "arviz_bulk_ess": float(arviz.ess(chains)),
                    "arviz_tail_ess": float(arviz.ess(chains, method="tail"))}
        found[name] = row
    return found


def reference(energies: np.ndarray, groups: np.ndarray, num_groups: int
              ) -> tuple[np.ndarray, float]:
    """Weights of groups under p, estimated from draws of the base.

    Args:
        energies: E(z) of the draws, [num].
        groups: Group of each draw, int [num].
        num_groups: Number of groups.

    Returns:
        Weights that sum to 1, float64 [num_groups], and the effective sample
        size of the draws.
    """
    logs = -np.asarray(energies, np.float64)
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    return (np.bincount(groups, weights, num_groups),
            float(log_mean_exp(logs).effective_sample_size))


def autocorrelation(values: np.ndarray, lags: int) -> np.ndarray:
    """Autocorrelation of every lag from 0, averaged over chains, float [lags +
    1].

    Args:
        values: float [records, chains].
        lags: Largest lag, below the number of records.
    """
    centred = values - values.mean(0)
    variance = np.mean(centred**2) or 1.0
    return np.array([np.mean(centred[lag:] * centred[:len(values) - lag])
                     for lag in range(lags + 1)]) / variance


def spread(position: tuple[np.ndarray, ...]) -> np.ndarray:
    """All dimensions of the latents as one axis, [records, chains, width]."""
    return np.concatenate([leaf.reshape(*leaf.shape[:2], -1)
                           for leaf in position], -1)


def largest_r_hat(position: tuple[np.ndarray, ...]) -> float:
    """The largest rank R-hat over dimensions of the latents."""
    return float(tf.reduce_max(rank_r_hat(
        spread(position).astype(np.float64))))
