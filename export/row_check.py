"""Checks that rows on a server do not depend on their batch.

An export selects block sizes for which this holds on its own processor; this
checks it on the processor of the server.
"""

import json

SIZES = (1, 2, 7, 31, 33)
FEATURES = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16",
            "amx_bf16", "amx_tile")


def batches(count):
    """Lists of rows to request together, out of `count` rows."""
    order = sorted(range(count), key=lambda row: (row * 7919) % (count + 1))
    return [order[:size] for size in SIZES if size < count] + [
        [row] for row in order[-3:]] + [order]


def compare(predict, asked, answers):
    """Requests the same rows in other batches.

    Args:
        predict: Function (signature, inputs) -> result.
        asked: Signature -> inputs, name -> rows.
        answers: Signature -> result of all rows at once.

    Returns:
        Signature -> {"rows": number of differing rows, "largest_difference":
        over all values; None for texts and files}.
    """
    found = {}
    for name, inputs in asked.items():
        differing, largest = set(), 0.0
        for rows in batches(len(next(iter(inputs.values())))):
            part = predict(name, {key: [value[row] for row in rows]
                                  for key, value in inputs.items()})
            for key, values in part.items():
                for row, value in zip(rows, values):
                    expected = answers[name][key][row]
                    if value != expected:
                        differing.add(row)
                        largest = _most(largest, value, expected)
        found[name] = {"rows": len(differing), "largest_difference": largest}
    return found


def _most(largest, first, second):
    if isinstance(first, list) and isinstance(second, list):
        for one, other in zip(first, second):
            largest = _most(largest, one, other)
        return largest
    if isinstance(first, (int, float)) and isinstance(second, (int, float)):
        if first != first and second != second:  # NaN
            return largest
        return None if largest is None else max(largest, abs(first - second))
    return largest if first == second else None


def processors(path):
    """Compares the features of this processor with those of the export.

    Args:
        path: assets.extra/metadata.json of the version.

    Returns:
        {"export": its description, "here": features, "only_export",
        "only_here": features that the other lacks}.
    """
    with open(path, encoding="utf-8") as file:
        theirs = json.load(file)["rows"].get("processor", {})
    flags = ""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("flags"):
                flags = line.partition(":")[2].split()
                break
    here = [name for name in FEATURES if name in flags]
    there = theirs.get("features", [])
    return {"export": theirs, "here": here,
            "only_export": [name for name in there if name not in here],
            "only_here": [name for name in here if name not in there]}
