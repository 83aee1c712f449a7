"""Calls a model that lebm_tf exported, on any host, by gRPC or by REST.

    python client.py sample --set 'seed=[1, 2]'
    python client.py score --server=http://HOST:8501 --request=score.json
    python client.py score_png --set 'seed=[1]' --set png_bytes=@digit.png
    python client.py all
    python client.py check --metadata=models/digits/1/assets.extra/metadata.json

`all` draws samples and calls every signature with them. Request files are in
`assets.extra/requests/` of the model. `check` requests the same 64 rows of
every signature in batches of several sizes and orders, and fails unless the
results are bitwise equal; run it on the host of the server, with --metadata, to
report processor features that differ from those of the export. The result is
written as JSON, name -> rows, files as {"b64": ...}. REST needs Python and
connections.py only; gRPC needs tensorflow-serving-api. Exit code 2: the request
or one of its rows was rejected; 1: there was no response in time.
"""

import argparse
import base64
import contextlib
import json
import os
import sys

from connections import NoAnswer, Refused, connect, patiently
import row_check

KINDS = {"DT_INT64": int, "DT_INT32": int, "DT_FLOAT": (int, float),
         "DT_STRING": (dict, str)}


def check(inputs, fields):
    """Raises Refused unless the signature accepts the inputs, name -> rows."""
    if set(inputs) != set(fields["inputs"]):
        raise Refused(f"inputs must be {', '.join(sorted(fields['inputs']))}, "
                      f"got {', '.join(sorted(inputs)) or 'none'}.")
    counts = set()
    for name, (dtype, shape) in fields["inputs"].items():
        rows, rule = inputs[name], f"{dtype} [rows, {str(shape)[1:]}"
        if not isinstance(rows, list) or not all(
                _fits(row, KINDS.get(dtype, object), shape) for row in rows):
            raise Refused(f"{name} must be {rule.replace(', ]', ']')}, got "
                          f"{json.dumps(rows)[:60]}")
        counts.add(len(rows))
    if len(counts) > 1 or not all(counts):
        raise Refused("all inputs must have as many rows, 1 or more, got "
                      f"{sorted(counts)}.")


def call_all(predict, metadata, values):
    """Calls every signature once, with the results of `sample`.

    Args:
        predict: Function (signature, inputs) -> result.
        metadata: Signature -> fields.
        values: Name -> rows: `seed`, and further inputs of signatures.

    Returns:
        Signature -> result.
    """
    names, answers = [name for name in ("sample", "sample_png")
                      if name in metadata], {}
    names += sorted(set(metadata) - {*names, "serving_default"})
    for name in names:
        answers[name] = predict(name, {
            key: values[key] for key in metadata[name]["inputs"]
            if key in values})
        if name == "sample":
            values = {**answers[name], **values}
            values["x"] = x = _clipped(values["x"])
            values = {"x_from": x, "x_to": x[::-1], **values}
        elif name == "sample_png":
            values = {**answers[name], **values}
    return answers


def _fits(row, kind, shape):
    if shape:
        return isinstance(row, list) and len(row) == shape[0] and all(
            _fits(part, kind, shape[1:]) for part in row)
    return isinstance(row, kind) and not isinstance(row, bool)


def _clipped(x):
    """Clips pixels to [-1, 1], which samples may exceed slightly."""
    if isinstance(x, list):
        return [_clipped(row) for row in x]
    return min(max(x, -1.0), 1.0)


def read_inputs(path, settings):
    """Inputs, name -> rows, of a request file and of --set."""
    inputs, files = {}, {}
    if path:
        try:
            body = json.loads(_read(path))
        except ValueError as error:
            raise Refused(f"{path} must be JSON, got {error}.") from error
        inputs = body.get("inputs") if isinstance(body, dict) else None
        if not isinstance(inputs, dict):
            raise Refused(f'{path} must hold {{"inputs": {{...}}}}.')
    for setting in settings:
        name, equals, value = setting.partition("=")
        try:
            if value.startswith("@"):
                data = base64.b64encode(_read(value[1:])).decode()
                inputs[name] = files.setdefault(name, [])
                files[name].append({"b64": data})
            else:
                inputs[name] = json.loads(value)
        except ValueError as error:
            raise Refused("--set must be NAME=JSON or NAME=@FILE, got "
                          f"{setting[:60]!r}.") from error
    return inputs


@contextlib.contextmanager
def _without_chatter():
    """Silences the start-up messages of TensorFlow's C++ code."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Refused(f"{path} must be a file to read, got "
                      f"{error.strerror}.") from error


def main(arguments=None):
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("signature", help="sample, score and so on, all or check")
    add("--server", default="grpc://localhost:8500",
        help="grpc://HOST:PORT, http://HOST:PORT or https://HOST:PORT")
    add("--model", default="digits", help="name of the model on the server")
    add("--version", type=int, help="version of the model; default: the newest")
    add("--request", help="JSON file with the inputs")
    add("--metadata", help="for check: metadata.json of the model")
    add("--set", action="append", default=[], metavar="NAME=VALUE",
        help="an input: JSON rows, or @FILE for one row (may repeat)")
    add("--output", help="file for the result; default: the terminal")
    add("--timeout", type=float, default=30,
        help="seconds to wait for each response")
    add("--retries", type=int, default=5,
        help="retries if there is no response")
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except (Refused, NoAnswer) as error:
        print("client.py:", " ".join(str(error).split())[:500],
              file=sys.stderr)
        return 2 if isinstance(error, Refused) else 1


def _run(options):
    if not options.timeout > 0 or options.retries < 0:
        raise Refused("--timeout must be > 0 and --retries >= 0, got "
                      f"{options.timeout} and {options.retries}.")
    with _without_chatter():
        server = connect(options.server, options.model, options.version)
    inputs = read_inputs(options.request, options.set)
    metadata = patiently(server.metadata, options.timeout, options.retries)
    if options.signature not in (*metadata, "all", "check"):
        raise Refused(f"the signature must be one of {', '.join(metadata)}, "
                      f"all or check, got {options.signature!r}.")

    def predict(name, inputs):
        check(inputs, metadata[name])
        return patiently(lambda left: server.predict(
            name, inputs, metadata[name], left),
            options.timeout, options.retries)

    if options.signature == "check":
        return _check_rows(options, predict, metadata, inputs)
    if options.signature == "all":
        answers = call_all(predict, metadata, _values(inputs, [7]))
    else:
        answers = {options.signature: predict(options.signature, inputs)}
    bad = [f"{name}, row {i}: {status}" for name, answer in answers.items()
           for i, status in enumerate(answer.get("status", [])) if status]
    _write(options, answers if options.signature == "all"
           else answers[options.signature])
    if bad:
        raise Refused("; ".join(bad))
    return 0


def _values(inputs, seed):
    """Inputs of signatures other than the results of `sample`."""
    seed = inputs.get("seed", seed)
    return {"seed": seed, "num_steps": [1] * len(seed),
            "temperature": [1.0] * len(seed), **inputs}


def _check_rows(options, predict, metadata, inputs):
    asked = {}

    def remember(name, inputs):
        asked[name] = inputs
        return predict(name, inputs)
    report = {}
    if options.metadata:
        try:
            report["processor"] = row_check.processors(options.metadata)
        except (OSError, ValueError, KeyError) as error:
            raise Refused("--metadata must be the metadata.json of an export, "
                          f"got {error}.") from error
    answers = call_all(remember, metadata, _values(inputs, list(range(64))))
    report["signatures"] = row_check.compare(predict, asked, answers)
    _write(options, report)
    differing = [f"{name} in {found['rows']} rows" for name, found
                 in report["signatures"].items() if found["rows"]]
    if differing:
        raise Refused("rows must not depend on their batch, got differences "
                      f"of {', '.join(differing)}; export the model on a "
                      "machine like this one, or with --row_blocks=1.")
    return 0


def _write(options, value):
    try:
        with open(options.output or sys.stdout.fileno(), "w",
                  encoding="utf-8", closefd=bool(options.output)) as file:
            file.write(json.dumps(value) + "\n")
    except OSError as error:
        raise Refused(f"--output must be a file to write, got "
                      f"{error.strerror}.") from error


if __name__ == "__main__":
    sys.exit(main())
