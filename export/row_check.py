"""Whether a server answers a row alike in every batch.

An export looks for sizes of blocks in which it does, on the processor where
it was made; this looks on the processor of the server.
"""

import json

SIZES = (1, 2, 7, 31, 33)
FEATURES = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16",
            "amx_bf16", "amx_tile")


def batches(count):
    """Lists of rows to be asked for together, of so many."""
    order = sorted(range(count), key=lambda row: (row * 7919) % (count + 1))
    return [order[:size] for size in SIZES if size < count] + [
        [row] for row in order[-3:]] + [order]


def compare(predict, asked, answers):
    """Asks for the same rows in other batches.

    Args:
        predict: (signature, inputs) -> answer.
        asked: Signature -> inputs, name -> rows.
        answers: Signature -> answer to all rows at once.

    Returns:
        Signature -> {"rows": how many differed, "largest_difference": of any
        number, None of texts and files}.
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
    """How the processor here differs from the one of the export.

    Args:
        path: assets.extra/metadata.json of the version.

    Returns:
        {"export": its description, "here": features, "only_export",
        "only_here": features that the other has not}.
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
