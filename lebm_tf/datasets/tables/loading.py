"""Tables of numbers with a label, by name or from a user's file."""

import os

import numpy as np

from lebm_tf.datasets.reading import find, held_out
from lebm_tf.datasets.tables.csv import numbered, read_table
from lebm_tf.datasets.tables.data import VectorData
from lebm_tf.errors import InputError
from lebm_tf.text_files import named, read_text

VECTORS = ("protein", "hepmass", "miniboone", "csv:FILE")
_NUM_BINS = 10  # Classes of protein.


def load_vectors(name: str, *, data_dir: str = "", label_column: str = ""
                 ) -> VectorData:
    """Loads a table; columns are standardized on the training rows.

    - "csv:FILE": a header, then rows of numbers, see `csv.read_table`;
      `label_column` names the label column; default: the last. A tenth of the
      rows, in an order that depends on their number alone, is held out.
    - protein: <data_dir>/protein/CASP.csv as published by UCI, or
      uci/uci_protein.npz. Its first column, RMSD, is cut at the deciles of
      the training rows into 10 classes.
    - hepmass: <data_dir>/hepmass/1000_train.csv and 1000_test.csv, with the
      label in the first column. The last column of the test file, which has no
      name in its header, is left out.
    - miniboone: <data_dir>/miniboone/MiniBooNE_PID.txt: the numbers of signal
      and background rows, then the rows. Rows with -999, which means a missing
      number, are left out and counted; a tenth is held out.

    Files may be gzipped. Features that are constant in training are left out
    and counted.

    Raises:
        InputError: If a file is missing or not as said.
    """
    kind, colon, path = name.partition(":")
    origin = {"data_dir": data_dir}
    if kind == "csv" and colon:
        if not path:
            raise InputError(f"data set must be csv:FILE, got {name!r}.")
        origin["label_column"] = label_column
        x, labels, counts = read_table(
            name, os.path.expanduser(path), label_column)
        classes, y = numbered(name, labels, label_column)
        test = _held_out(name, len(x))
        return _made(name, x, y, test, classes, counts, origin)
    if label_column:
        raise InputError(f"label_column must be left out for {name}, got "
                         f"{label_column!r}.")
    return {"protein": _protein, "hepmass": _hepmass,
            "miniboone": _miniboone}[name](name, data_dir, origin)


def _protein(name, data_dir, origin):
    ready = os.path.join(data_dir, "uci", "uci_protein.npz")
    if os.path.isfile(ready):
        with np.load(ready, allow_pickle=False) as arrays:
            x, rmsd = arrays["x"], arrays["y"]
            test = np.zeros(len(x), bool)
            test[arrays["test_idx_0"]] = True
        counts = {"rows": len(x)}
    else:
        path = find(name, data_dir, "CASP.csv")
        x, labels, counts = read_table(name, path, "RMSD")
        try:
            rmsd = np.array(labels, np.float64)
        except ValueError as error:
            raise InputError(f"{name}: RMSD in {path} must be numbers, got "
                             f"{error}.") from error
        test = _held_out(name, len(x))
    edges = np.quantile(rmsd[~test], np.arange(1, _NUM_BINS) / _NUM_BINS)
    y = np.searchsorted(edges, rmsd, side="right").astype(np.int64)
    bounds = [f"{edge:.3g}" for edge in edges]
    classes = tuple(f"RMSD {low} to {high}" for low, high in zip(
        ["0", *bounds], [*bounds, "more"]))
    return _made(name, x, y, test, classes, counts, origin)


def _hepmass(name, data_dir, origin):
    tables, counts = [], {}
    for part in ("train", "test"):
        path = find(name, data_dir, f"1000_{part}.csv")
        rows, bad = _numbers(name, path, _lines(name, path)[1:])
        counts[f"{part}/rows"], counts[f"{part}/not finite"] = len(rows), bad
        tables.append(rows)
    train, test = tables
    test = test[:, :train.shape[1]]
    if test.shape[1] != train.shape[1]:
        raise InputError(f"{name}: the test file must have the columns of the "
                         f"training file, {train.shape[1]}, got "
                         f"{test.shape[1]}.")
    rows = np.concatenate([train, test])
    return _made(name, rows[:, 1:], rows[:, 0].astype(np.int64),
                 np.arange(len(rows)) >= len(train),
                 ("background", "signal"), counts, origin)


def _miniboone(name, data_dir, origin):
    path = find(name, data_dir, "MiniBooNE_PID.txt")
    lines = _lines(name, path)
    try:
        num_signal, num_background = map(int, lines[0].split())
    except ValueError as error:
        raise InputError(f"{name}: {path} must begin with the numbers of "
                         f"signal and background rows, got {lines[0]!r}."
                         ) from error
    rows, bad = _numbers(name, path, lines[1:], separator=None)
    if len(rows) + bad != num_signal + num_background or bad:
        raise InputError(f"{name}: {path} must hold {num_signal} + "
                         f"{num_background} rows of numbers, got {len(rows)}.")
    y = (np.arange(len(rows)) < num_signal).astype(np.int64)
    whole = (rows != -999.0).all(axis=1)
    rows, y = rows[whole], y[whole]
    return _made(name, rows, y, _held_out(name, len(rows)),
                 ("background", "signal"),
                 {"rows": len(whole), "rows with -999": int((~whole).sum())},
                 origin)


def _made(name, x, y, test, classes, counts, origin):
    train = x[~test]
    if len(train) < 2 or not test.any():
        raise InputError(f"{name}: there must be rows for training and to hold "
                         f"out, got {len(x)} in total.")
    varies = train.min(0) < train.max(0)
    if not varies.any():
        raise InputError(f"{name}: at least one feature must vary, got none.")
    mean, scale = train.mean(0), train.std(0)
    scaled = ((x[:, varies] - mean[varies]) / scale[varies]
              ).astype(np.float32)
    return VectorData(
        name, scaled[~test], scaled[test], y[~test], y[test], classes,
        {**counts, "constant features": int((~varies).sum())}, origin)


def _held_out(name, num_rows):
    """Mask of the held-out rows."""
    if num_rows < 2:
        raise InputError(f"{name}: the file must have at least 2 rows, got "
                         f"{num_rows}.")
    return held_out(num_rows)


def _numbers(name, path, lines, separator=","):
    """The finite rows, and the number of others."""
    try:
        rows = np.loadtxt(lines, np.float64, delimiter=separator, ndmin=2)
    except ValueError as error:
        raise InputError(f"{name}: {path} must have equally many numbers in "
                         f"each row, got {error}.") from error
    whole = np.isfinite(rows).all(axis=1)
    return rows[whole], int((~whole).sum())


def _lines(name, path):
    """The lines of a text file, gzipped or not."""
    lines = read_text(path, named(name, path)).splitlines()
    if len(lines) < 2:
        raise InputError(f"{name}: {path} must have a header and rows, got "
                         f"{len(lines)} lines.")
    return lines
