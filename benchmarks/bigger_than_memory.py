"""Training on more images than fit into memory: speed, memory, exact resume.

    python -m benchmarks.bigger_than_memory [--num_files=20000]
        [--folder=DIR] [--memory_gb=2]

Makes a folder of generated JPEG files, the same files as an ArrayRecord set,
and a tenth of both, in a temporary folder that is removed in the end; and, with
--num_linked, a larger folder of links to the same files. Every
measurement is a process of its own, which reads all training images from disk.
Where it trains, it may allocate `memory_gb` beyond what it had when TensorFlow
had started. The limit is RLIMIT_DATA, private writable memory: TensorFlow maps
more address space than that (RLIMIT_AS) without using it. Rates are measured on
one core, as examples per second of the processor, which other work on the
machine changes little; a training step is one on a batch that is at hand.

Writes benchmarks/results/bigger_than_memory.json and .md.
"""

from concurrent import futures
import dataclasses
import hashlib
import multiprocessing
import os
import re
import resource
import shutil
import sys
import tempfile
import time
from typing import Annotated

from lebm_tf.configuration import startup

startup.import_tensorflow()

from PIL import Image  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from benchmarks import runs  # noqa: E402
import lebm_tf  # noqa: E402
from lebm_tf.configuration import command, fields  # noqa: E402
from lebm_tf.configuration.data import StorageOptions  # noqa: E402
from lebm_tf.datasets import load_dataset, train_batches  # noqa: E402
from lebm_tf.families import FAMILIES  # noqa: E402
from lebm_tf.ranges import (  # noqa: E402
    Checked, Ge, NonNegativeInt, PositiveFloat, PositiveInt)

SIDE, MODELS = 64, ("image", "vae")
_PER_FOLDER, _PER_SHARD = 1_000, 10_000


@dataclasses.dataclass(frozen=True)
class MemoryBenchmark(Checked):
    """What to measure.

    Attributes:
        num_files: Image files.
        num_linked: Files of one more folder, which are links to the image
            files; 0 leaves it out.
        memory_gb: Gigabytes that training may allocate after the start.
        batch_size: Images per step.
        train_steps: Steps of each training.
        num_batches: Batches of which rates are measured.
        num_steps: Training steps of which rates are measured.
        folder: Where the temporary folder is made; default: the system's.
    """
    num_files: Annotated[int, Ge(2_000)] = 200_000
    num_linked: NonNegativeInt = 0
    memory_gb: PositiveFloat = 2.0
    batch_size: PositiveInt = 100
    train_steps: PositiveInt = 20
    num_batches: PositiveInt = 100
    num_steps: PositiveInt = 5
    folder: str = ""


def make(root: str, num_files: int) -> dict[str, str]:
    """Makes the data; returns name of a source -> name for --dataset."""
    import tensorflow_datasets as tfds
    images, records = (os.path.join(root, f"{kind}{num_files}")
                       for kind in ("images", "records"))
    os.makedirs(records)
    writer = tfds.core.SequentialWriter(tfds.core.DatasetInfo(
        builder=tfds.core.dataset_info.DatasetIdentity(
            "images", tfds.core.Version("1.0.0"), records, ""),
        features=tfds.features.FeaturesDict({"image": tfds.features.Image(
            shape=(SIDE, SIDE, 3), encoding_format="jpeg")})),
        _PER_SHARD, file_format="array_record")
    writer.initialize_splits(["train"])
    for number in range(num_files):
        path = image_path(images, number)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # Smooth, so that files are as small as those of photographs.
        coarse = np.random.RandomState(number).randint(0, 256, [6, 6, 3])
        Image.fromarray(coarse.astype(np.uint8)).resize(
            (SIDE, SIDE), Image.Resampling.BICUBIC).save(path, quality=90)
        with open(path, "rb") as file:
            writer.add_examples({"train": [{"image": file.read()}]})
    writer.close_all()
    return {"folder": f"folder:{images}", "ArrayRecord": f"records:{records}"}


def link(root: str, num_files: int, num_linked: int) -> str:
    """Makes the folder of links; returns its name for --dataset."""
    linked = os.path.join(root, f"linked{num_linked}")
    for number in range(num_linked):
        folder = os.path.join(linked, f"{number // _PER_FOLDER:04}")
        os.makedirs(folder, exist_ok=True)
        os.link(image_path(os.path.join(root, f"images{num_files}"),
                           number % num_files),
                os.path.join(folder, f"{number:08}.jpg"))
    return f"folder:{linked}"


def image_path(images: str, number: int) -> str:
    """Path of an image file."""
    return os.path.join(
        images, f"{number // _PER_FOLDER:04}", f"{number:08}.jpg")


def load(name: str) -> lebm_tf.ImageData:
    """Loads data whose training images stay on disk."""
    return load_dataset(name, image_size=SIDE, storage=StorageOptions(
        max_memory_gb=0.0))


def build(family: str, data: lebm_tf.ImageData, batch_size: int
          ) -> lebm_tf.EnergyModel:
    """A small model, of which a training step is cheap."""
    settings = {"latent_dim": 16, "generator": lebm_tf.GeneratorConfig(
        channels=(64, 32, 16, 8))}
    if family == "image":
        settings |= {"energy": lebm_tf.EnergyConfig((64,)),
                     "prior": lebm_tf.ChainConfig(20, 0.4),
                     "posterior": lebm_tf.ChainConfig(10, 0.1)}
    return lebm_tf.build(family, FAMILIES[family].Config(**settings), data,
                         batch_size=batch_size)


def scan(name: str) -> dict[str, float]:
    """Loads data for the first time, and again."""
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        data = load(name)
        seconds.append(time.perf_counter() - started)
    return {"num_train": len(data.x_train), "num_held_out": len(data.x_test),
            "seconds_scan": seconds[0], "seconds_load": seconds[1]}


def train(name: str, workdir: str, steps: int, chosen: MemoryBenchmark
          ) -> dict[str, float | str]:
    """Trains up to a step within the limit of memory."""
    tf.constant(0.0) + 1.0  # TensorFlow has started.
    start = status("VmData")
    limit = int(start + 1e9 * chosen.memory_gb)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    begun = status("VmHWM")
    data = load(name)
    model = build("image", data, chosen.batch_size)
    lebm_tf.fit(model, data, lebm_tf.RunConfig(
        train_steps=steps, workdir=workdir), verbose=False)
    digest = hashlib.sha256()
    for weight in model.weights:
        digest.update(np.ascontiguousarray(weight).tobytes())
    return {"weights": digest.hexdigest(), "start_mb": begun / 1e6,
            "peak_mb": status("VmHWM") / 1e6,
            "data_mb": (status("VmData") - start) / 1e6}


def rates(name: str, chosen: MemoryBenchmark) -> dict[str, float]:
    """Examples per second of one core, read and trained on."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    data = load(name)
    batches = iter(train_batches(data, chosen.batch_size, 0))
    batch = next(batches)
    found = {"read": _rate(lambda: next(batches), chosen.num_batches,
                           chosen.batch_size)}
    batches = None  # Nothing more is read beside the training steps.
    for family in MODELS:
        model = build(family, data, chosen.batch_size)
        model.make_train_function()
        same = iter(tf.data.Dataset.from_tensors(batch).repeat())
        model.train_function(same)  # Traces.
        found[family] = _rate(lambda: model.train_function(same),
                              chosen.num_steps, chosen.batch_size)
    return found


def _rate(function, times, num_examples) -> float:
    started = time.process_time()
    for _ in range(times):
        function()
    return times * num_examples / (time.process_time() - started)


def status(field: str) -> int:
    """A size in /proc/self/status, in bytes."""
    with open("/proc/self/status", encoding="utf-8") as file:
        return 1024 * int(re.search(rf"{field}:\s+(\d+) kB", file.read())[1])


def apart(function, *arguments):
    """The result of a function in a new process."""
    with futures.ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def measure(root: str, chosen: MemoryBenchmark) -> dict[str, dict]:
    """Name of a row -> figures."""
    found = {}
    for num_files in (chosen.num_files // 10, chosen.num_files):
        command.say(f"Making {num_files:,} files ...")
        for source, name in apart(make, root, num_files).items():
            row = {"source": source, "num_files": num_files,
                   **apart(scan, name)}
            workdirs = [os.path.join(root, f"{source}{num_files}_{end}")
                        for end in ("whole", "parts")]
            whole = apart(train, name, workdirs[0], chosen.train_steps, chosen)
            if num_files == chosen.num_files:
                apart(train, name, workdirs[1], chosen.train_steps // 2, chosen)
                parts = apart(train, name, workdirs[1], chosen.train_steps,
                              chosen)
                row |= {"equal_after_resume":
                        whole["weights"] == parts["weights"],
                        **apart(rates, name, chosen)}
            found[f"{source} {num_files}"] = row | whole
            command.say(f"{source}, {num_files:,} files: {row | whole}")
    if chosen.num_linked:
        name = link(root, chosen.num_files, chosen.num_linked)
        found["links"] = {
            "source": "folder of links", "num_files": chosen.num_linked,
            **apart(scan, name), **apart(train, name, os.path.join(
                root, "links"), chosen.train_steps, chosen)}
    return found


def table(results: dict) -> str:
    """The figures in Markdown."""
    lines = [
        "| images | read from | first check, s | load, s | memory when "
        "TensorFlow has started, MB | growth to the peak of training, MB | "
        "after a stop | read/s | "
        + " | ".join(f"{name}: trained/s | factor" for name in MODELS) + " |",
        "|" + "---|" * (8 + 2 * len(MODELS))]
    for row in results["rows"].values():
        cells = [f"{row['num_files']:,}", row["source"],
                 f"{row['seconds_scan']:.1f}", f"{row['seconds_load']:.1f}",
                 f"{row['start_mb']:.0f}",
                 f"{row['peak_mb'] - row['start_mb']:.0f}"]
        if "read" in row:
            cells += ["bit-equal" if row["equal_after_resume"] else "differs",
                      f"{row['read']:,.0f}"]
            for name in MODELS:
                cells += [f"{row[name]:,.0f}",
                          f"{row['read'] / row[name]:.1f}"]
        lines.append("| " + " | ".join(cells) + " |" + " |" * (
            8 + 2 * len(MODELS) - len(cells)))
    return "\n".join(lines) + "\n"


def main(values) -> None:
    """Makes the data, measures, writes the results and removes the data."""
    chosen = fields.from_flags(MemoryBenchmark, values)
    root = tempfile.mkdtemp(dir=chosen.folder or None)
    try:
        rows = measure(root, chosen)
    finally:
        shutil.rmtree(root)
    results = {**runs.begun("bigger_than_memory"),
               "settings": dataclasses.asdict(dataclasses.replace(
                   chosen, folder="")), "rows": rows}
    runs.write("bigger_than_memory", results, table(results))
    command.say(table(results))


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, fields.fields(MemoryBenchmark)))
