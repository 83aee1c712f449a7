"""Load on a server: speed, right answers, and memory.

    python -m benchmarks.serving --workdir=runs/quickstart

Exports the model of a run, serves it (by tensorflow_model_server if it is on
the PATH, else by tests/serving/stand_in) with and without batching, and lets
many clients of export/ call all signatures by gRPC and REST. Good answers are
compared bit for bit with those of this process; malformed requests must be
refused with a message; a second version is exported meanwhile. Writes
benchmarks/results/serving.json and .md.
"""

import collections
from concurrent import futures
import dataclasses
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import threading
import time
from typing import Annotated, Any
import urllib.request

from lebm_tf.configuration import startup

startup.import_tensorflow()

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from benchmarks import runs  # noqa: E402
from lebm_tf import files  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.ranges import (  # noqa: E402
    Checked, Interval, PositiveFloat, PositiveInt)
from lebm_tf.serving import (  # noqa: E402
    Servable, ServingConfig, export_model, requests)
from lebm_tf.training import loading, workdir as workdirs  # noqa: E402
from tests.serving.servers import (  # noqa: E402
    KIT, REAL, as_arrays, connections, running)

RESULTS = os.path.join(os.path.dirname(__file__), "results", "serving.json")
POOL = 32  # Different rows of every signature.
_MOST_ROWS = 4  # Of a good request.
_ALL_ROWS = "all rows"
_WINDOW = 1_000  # Requests at both ends whose memory is compared.


@dataclasses.dataclass(frozen=True)
class ServingBenchmark(Checked):
    """What to measure.

    Attributes:
        workdir: Work directory of a run.
        num_clients: Clients at a time.
        num_requests: Of all clients together.
        malformed: Part of the requests that is malformed.
        timeout: Seconds for an answer.
        output: File for the figures.
    """
    workdir: str = ""
    num_clients: PositiveInt = 64
    num_requests: PositiveInt = 10_000
    malformed: Annotated[float, Interval(ge=0, le=1)] = 0.05
    timeout: PositiveFloat = 120.0
    output: str = RESULTS


@dataclasses.dataclass(frozen=True)
class Questions:
    """Requests with their right answers, row by row.

    Attributes:
        inputs, answers: Signature -> name -> [rows, ...], arrays.
    """
    inputs: dict[str, dict[str, Any]]
    answers: dict[str, dict[str, Any]]

    def good(self, random) -> tuple:
        """(signature, inputs as JSON has them, right answer)."""
        name = random.choice(sorted(self.inputs))
        rows = random.integers(POOL, size=random.integers(1, _MOST_ROWS + 1))
        body = requests.to_json(name, {
            key: value[rows] for key, value in self.inputs[name].items()})
        return name, body["inputs"], {
            key: value[rows] for key, value in self.answers[name].items()}

    def malformed(self, random) -> tuple:
        """(signature, inputs, field whose row says what is wrong or None)."""
        score = {"seed": [1], "x": self.inputs["score"]["x"][:1].tolist()}
        wrong_shape = {**score, "x": [score["x"][0][1:]]}
        one = np.array(score["x"])
        one.flat[0] = np.nan
        cases = [("dream", {"seed": [1]}, None), ("sample", {}, None),
                 ("sample", {"seed": [1] * 300}, None),
                 ("score", {"seed": [1]}, None),
                 ("score", {**score, "seed": [1, 2]}, None),
                 ("score", wrong_shape, None),
                 ("score", {**score, "x": one.tolist()}, _ALL_ROWS)]
        if "score_png" in self.inputs:
            cases.append(("score_png", {
                "seed": [1], "png_bytes": [{"b64": "aGVsbG8="}]}, _ALL_ROWS))
        return cases[random.integers(len(cases))]


class Load:
    """All clients, and what they met.

    Args:
        server: Addresses of a server.
        questions: What is asked.
        chosen: How much.
    """

    def __init__(self, server, questions: Questions,
                 chosen: ServingBenchmark):
        self.server, self.questions, self.chosen = server, questions, chosen
        self.lock, self.started = threading.Lock(), threading.Event()
        self.seconds, self.memory, self.errors = [], [], []
        self.refused = 0

    def client(self, number: int) -> None:
        """One client: asks, and looks at the answers."""
        random = np.random.default_rng(number)
        made = connections.connect(self.server[number % 2],
                                   self.server.folder.name)
        fields = made.metadata(self.chosen.timeout)
        each, rest = divmod(self.chosen.num_requests, self.chosen.num_clients)
        for _ in range(each + (number < rest)):
            is_bad = random.uniform() < self.chosen.malformed
            name, inputs, expected = (
                self.questions.malformed if is_bad else self.questions.good
            )(random)
            known = fields.get(name, fields["sample"])
            started = time.perf_counter()
            try:
                answer = connections.patiently(lambda left: made.predict(
                    name, inputs, known, left), self.chosen.timeout, 20)
            except (connections.Refused, connections.NoAnswer) as error:
                answer = error
            self._note(time.perf_counter() - started, name, is_bad, expected,
                       answer)

    def _version(self):
        """The one that answers now."""
        url = f"{self.server.rest}/v1/models/{self.server.folder.name}"
        with urllib.request.urlopen(f"{url}/metadata") as answer:
            return int(json.load(answer)["model_spec"]["version"])

    def _note(self, seconds, name, is_bad, expected, answer):
        failed = isinstance(answer, Exception)
        if not is_bad:
            good = not failed and _equal(answer, expected)
        elif expected is None:
            good = failed and bool(str(answer))
        else:
            good = not failed and all(answer["status"])
        with self.lock:
            self.seconds.append(seconds)
            self.memory.append(_resident(self.server.process))
            self.refused += is_bad and good
            if not good:
                self.errors.append(
                    f"{name}: {answer if failed else 'a wrong answer'}"[:300])
            if 4 * len(self.seconds) >= self.chosen.num_requests:
                self.started.set()

    def run(self, meanwhile) -> dict[str, Any]:
        """Figures; `meanwhile` is called after a quarter of the load."""
        started = time.perf_counter()
        with futures.ThreadPoolExecutor(self.chosen.num_clients) as threads:
            clients = [threads.submit(self.client, i)
                       for i in range(self.chosen.num_clients)]
            for one in clients:
                # Rounding may leave fewer than a quarter.
                one.add_done_callback(lambda _: self.started.set())
            self.started.wait()
            meanwhile()
            for one in clients:
                one.result()
        seconds = time.perf_counter() - started
        window = min(_WINDOW, len(self.memory) // 2)
        return {
            "version_at_the_end": self._version(),
            "requests": len(self.seconds), "refused": self.refused,
            "errors": collections.Counter(self.errors).most_common(5),
            "num_errors": len(self.errors),
            "requests_per_second": len(self.seconds) / seconds,
            "p50_seconds": float(np.quantile(self.seconds, 0.5)),
            "p99_seconds": float(np.quantile(self.seconds, 0.99)),
            "first_megabytes": float(np.mean(self.memory[:window])),
            "last_megabytes": float(np.mean(self.memory[-window:])),
            "window": window}


def measure(chosen: ServingBenchmark) -> dict[str, Any]:
    """"batching" and "no batching" -> figures."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model = loading.load(chosen.workdir)
    shape = workdirs.read(chosen.workdir).data.shape
    signatures = Servable(model, shape).signatures
    inputs = requests.examples(signatures, range(POOL))
    questions = Questions(inputs, {
        name: requests.call(signatures[name].function, request)
        for name, request in inputs.items()})
    results = {}
    for title, flags in (("batching", (
            "--enable_batching",
            f"--batching_parameters_file={KIT / 'batching.config'}")),
            ("no batching", ())):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder) / "digits"

            export_model(model, str(folder), shape, ServingConfig(check_rows=0))
            with running(folder, *flags) as server:
                results[title] = Load(server, questions, chosen).run(
                    lambda: _export(chosen.workdir, folder))
        command.say(f"{title}: " + ", ".join(
            f"{key} {value:.4g}" if isinstance(value, float)
            else f"{key} {value}" for key, value in results[title].items()))
    return results


def table(results: dict) -> str:
    """Markdown: a row with batching and one without."""
    lines = ["| | requests a second | p50 | p99 | malformed, all refused | "
             "wrong or failed | memory, first and last thousand | new version "
             "loaded |", "|---|---|---|---|---|---|---|---|"]
    for title in ("batching", "no batching"):
        found = results[title]
        lines.append(
            f"| {title} | {found['requests_per_second']:.0f} | "
            f"{found['p50_seconds']:.2f} s | {found['p99_seconds']:.1f} s | "
            f"{found['refused']} of {found['requests']:,} | "
            f"{found['num_errors']} | {found['first_megabytes']:.0f} MB, "
            f"{found['last_megabytes']:.0f} MB | "
            f"{'yes' if found['version_at_the_end'] == 2 else 'no'} |")
    return "\n".join(lines) + "\n"


def _export(workdir: str, folder: pathlib.Path) -> None:
    """As a user does: another process, while this one serves its clients."""
    subprocess.run([sys.executable, "-m", "lebm_tf.export",
                    f"--workdir={workdir}", f"--output={folder}",
                    "--check_rows=0"], check=True, stdout=subprocess.DEVNULL)


def _equal(answer, expected) -> bool:
    found = as_arrays(answer, expected)
    return set(found) == set(expected) and all(
        np.array_equal(found[name], value) for name, value in expected.items())


def _resident(process: int) -> float:
    """Megabytes of a process, of its own memory and of files."""
    with open(f"/proc/{process}/statm", encoding="ascii") as file:
        pages = int(file.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(values) -> None:
    """Measures, and writes down."""
    chosen = fields.from_flags(ServingBenchmark, values)
    results = {
        "settings": {name: value for name, value in dataclasses.asdict(
            chosen).items() if name not in ("workdir", "output")},
        "server": REAL or "tests/serving/stand_in",
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        **measure(chosen)}
    files.write_json(chosen.output, {
        **results, "commands": runs.commands(results)})
    with files.atomic_path(
            os.path.splitext(chosen.output)[0] + ".md") as target:
        with open(target, "w", encoding="utf-8") as file:
            file.write(table(results))


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(ServingBenchmark)))
