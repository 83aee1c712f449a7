"""Trajectory data sets by name."""

import dataclasses
import difflib
import os

from lebm_tf.configuration.data import TrajectoryOptions
from lebm_tf.datasets.trajectories.csv import load_csv
from lebm_tf.datasets.trajectories.data import TrajectoryData
from lebm_tf.datasets.trajectories.files import load_eth_ucy, load_sdd
from lebm_tf.errors import InputError


def load_trajectories(name: str, data_dir: str = "", options:
                      TrajectoryOptions = TrajectoryOptions()
                      ) -> TrajectoryData:
    """Loads a trajectory data set.

    Args:
        name: One of `TRAJECTORIES`: `sdd` (`files.load_sdd`), a test scene of
            ETH/UCY (`files.load_eth_ucy`), or "csv:" with the path of a table
            (`csv.load_csv`).
        data_dir: Folder of the public data; not used by "csv:".
        options: How recordings become windows.

    Returns:
        Windows of past and future positions.

    Raises:
        InputError: If the name is unknown, or the data are missing or invalid.
    """
    kind, colon, path = name.partition(":")
    known = {key.partition(":")[:2]: key for key in TRAJECTORIES}
    if (kind, colon) not in known:
        close = difflib.get_close_matches(name.lower(), TRAJECTORIES, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise InputError(f"unknown trajectories {name!r}.{hint} Known: "
                         f"{', '.join(TRAJECTORIES)}.")
    key = known[kind, colon]
    if colon and not path:
        raise InputError(f"trajectories must be {key}, got {name!r}.")
    data = TRAJECTORIES[key](
        name, os.path.expanduser(path if colon else data_dir), options)
    return dataclasses.replace(
        data, data_scale=options.data_scale, rotated=options.rotated,
        time_reversed=options.time_reversed,
        origin={"data_dir": data_dir, "trajectories": options})


TRAJECTORIES = {
    "sdd": load_sdd,
    "eth": load_eth_ucy,
    "hotel": load_eth_ucy,
    "univ": load_eth_ucy,
    "zara1": load_eth_ucy,
    "zara2": load_eth_ucy,
    "csv:FILE": load_csv,
}
