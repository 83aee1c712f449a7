"""Model card, metadata and example requests of an exported model."""

import dataclasses
import json
import os
from typing import Any, Mapping

import numpy as np
import tensorflow as tf

from lebm_tf import files, processor
from lebm_tf.serving import blocks
from lebm_tf.serving.config import ServingConfig
from lebm_tf.serving.signatures import DEFAULT, Signature

CARD, EXTRA, METADATA = "MODEL_CARD.md", "assets.extra", "metadata.json"
REST = "http://localhost:8501/v1/models/{name}:predict"
_LONGEST_LINE = 300  # Longest request, in characters, shown in a command.


def metadata(name: str, signatures: Mapping[str, Signature],
             config: ServingConfig, rows: Mapping[str, Any],
             about: Mapping[str, Mapping[str, Any]]) -> dict:
    """Metadata of a model for programs, as JSON types.

    Args:
        name: Name of the model on a server.
        signatures: Signatures of a `Servable`.
        config: Settings of the export.
        rows: Result of `compare_rows`.
        about: Title -> name -> value: data, configuration, metrics.
    """
    return {"name": name, "tensorflow": tf.__version__, "signatures": {
        key: {"meaning": signature.meaning,
              "inputs": _fields(signature.inputs),
              "outputs": _fields(signature.outputs)}
        for key, signature in signatures.items()},
        "default": next(iter(signatures)), "limits": dataclasses.asdict(config),
        "rows": dict(rows), "about": {
            title: dict(values) for title, values in about.items()}}


def compare_rows(functions: Mapping[str, Any], requests,
                 chosen: blocks.Choice) -> dict:
    """Checks whether a result depends on the batch of its row.

    Args:
        functions: Signature -> function.
        requests: Signature -> request of many rows, all different.
        chosen: Blocks of the computation.

    Returns:
        Number of rows that were compared, their batches, the largest difference
        of any value, and the processor.
    """
    num_rows = len(next(iter(next(iter(requests.values())).values())))
    sizes = [size for size in (1, 2, 7, 31, 32) if size < num_rows]
    batches = [*(np.arange(size) for size in sizes), np.arange(num_rows)[::-1]]
    found = blocks.differing_rows(functions, requests, batches)
    return {"rows": num_rows, "batches": [*sizes, num_rows],
            "signatures": list(found),
            "largest_difference": max(found.values()),
            "blocks": list(chosen.sizes),
            "refused_blocks": {str(size): name for size, name
                               in chosen.refused.items()},
            "processor": processor.describe()}


def write(folder: str, meta: Mapping[str, Any], bodies: Mapping[str, dict]
          ) -> None:
    """Writes the card, the metadata and a request for every signature.

    Args:
        folder: Folder of a version.
        meta: Result of `metadata`.
        bodies: Signature -> body of a REST request.
    """
    files.write_json(os.path.join(folder, EXTRA, METADATA), meta)
    for name, body in bodies.items():
        _write(_request_path(folder, name), json.dumps(body) + "\n")
    _write(os.path.join(folder, CARD), _card(meta, bodies))


def read_summary(folder: str) -> str:
    """The signatures of a version as text, each with a request to copy.

    Args:
        folder: Folder of a version, as described by `write`.
    """
    meta, lines = files.read_json(os.path.join(folder, EXTRA, METADATA)), []
    for name, signature in meta["signatures"].items():
        default = f" ({DEFAULT})" if name == meta["default"] else ""
        lines.append(f"{name}{default}: {signature['meaning']}")
        for kind in ("inputs", "outputs"):
            lines.append(f"  {kind[:-1]:<6}  " + ", ".join(
                f"{key} {field['dtype']} {_shape(field)}"
                for key, field in signature[kind].items()))
        body = files.read_json(_request_path(folder, name))
        lines += ["  " + _how_to_call(meta["name"], body, folder), ""]
    return "\n".join(lines)


def _how_to_call(name, body, folder):
    """A shell command for a request; a long one is read from its file."""
    data = json.dumps(body)
    data = f"'{data}'" if len(data) <= _LONGEST_LINE else "@" + _request_path(
        folder, body["signature_name"])
    return f"curl -d {data} {REST.format(name=name)}"


def _request_path(folder, signature):
    return os.path.join(folder, EXTRA, "requests", f"{signature}.json")


def _write(path, text):
    with files.atomic_path(path) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)


def _card(meta, bodies):
    """The model card, Markdown."""
    limits = meta["limits"]
    parts = [f"# {meta['name']}", _INTENDED]
    parts += [f"## {title}\n\n" + _table(("", ""), [
        (f"`{key}`", value) for key, value in values.items()])
        for title, values in meta["about"].items()]
    parts.append("## Settings of the export\n\n" + _table(("", ""), [
        (f"`{key}`", value) for key, value in limits.items()]))
    parts.append("## Signatures\n\n" + _CALLS.format(
        max_batch=limits["max_batch"], rest=REST.format(name=meta["name"]),
        rows=_rows(meta["rows"]), default=meta["default"]))
    for key, signature in meta["signatures"].items():
        fields = [(f"{kind[:-1]} `{field}`", f"{value['dtype']} "
                   f"{_shape(value)}", value["meaning"] + _bounds(value))
                  for kind in ("inputs", "outputs")
                  for field, value in signature[kind].items()]
        parts.append(
            f"### {key}\n\n{signature['meaning']}\n\n"
            + _table(("", "type", "meaning"), fields) + "\n\n```\n"
            + _how_to_call(meta["name"], bodies[key], "") + "\n```")
    return "\n\n".join(parts) + "\n"


_INTENDED = """## Intended use

Drawing samples, inferring latent variables, reconstructing and scoring
observations of the kind that the model was trained on. Images are means g(z),
without observation noise; texts are drawn token by token. Scores rank
observations under this model only; they are not probabilities, and not
comparable with those of another model. A model reproduces the biases of its
training data: evaluate it on your own data before you rely on it."""

_CALLS = """REST: `POST {rest}`; the
requests below are also files in `assets.extra/requests`. gRPC: the same names
with `PredictionService.Predict`. `serving_default` is `{default}`. The first
axis of all inputs is that of rows, with equal numbers. A call must have
at most {max_batch} rows; larger calls are rejected, so a server's
`max_batch_size` must not be larger.

Row i depends only on the weights and on row i of the inputs, so a server may
join requests. {rows}

An invalid value does not fail the call: its row is NaN (an empty string for a
text or PNG file), and `status` says what was expected. Check `status` first."""


def _rows(rows):
    if not rows:
        return "Equality of rows was not tested."
    what = ("row i was equal bit for bit" if not rows["largest_difference"]
            else "row i differed by at most "
            f"{rows['largest_difference']:.2g}")
    return (f"Calls are computed in blocks of\n{_listed(rows['blocks'])} rows, "
            "in which every position gave the same\n"
            f"bits; {what} in batches of {_listed(rows['batches'])} and in\n"
            f"reverse order ({_listed(rows['signatures'])}; measured at "
            f"export\non {_cpu(rows['processor'])}).\nOther processors may "
            "round differently: `export/client.py check`\ncompares rows on "
            "your server.")


def _listed(values):
    return ", ".join(map(str, values))


def _cpu(cpu):
    return f"{cpu['name']} with {' '.join(cpu['features']) or 'no extension'}"


def _fields(fields):
    return {name: {
        "dtype": field.dtype.name, "shape": ["batch", *field.shape],
        "meaning": field.meaning, "low": field.low, "high": field.high}
        for name, field in fields.items()}


def _shape(field):
    return f"[{', '.join(map(str, field['shape']))}]"


def _bounds(field):
    if field["low"] is None or len(field["shape"]) > 1:
        return ""  # Bounds of arrays are part of the meaning.
    return f" In [{field['low']:g}, {field['high']:g}]."


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(
        str(cell).replace("|", "\\|") for cell in line) + " |"
        for line in lines)
