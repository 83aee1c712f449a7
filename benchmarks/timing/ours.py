"""The side of lebm_tf: each thing that is measured, through the library.

    python -m benchmarks.timing.ours   (a worker of benchmarks.speed)
"""

import functools
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from benchmarks.timing.protocol import serve  # noqa: E402
from benchmarks.timing.setting import Setting  # noqa: E402
import lebm_tf  # noqa: E402
from lebm_tf.configuration import fields  # noqa: E402
from lebm_tf.datasets import ImageData, train_batches  # noqa: E402
from lebm_tf.devices import strategies  # noqa: E402
from lebm_tf.families import DataSpec, build  # noqa: E402
from lebm_tf.families.image import ImageConfig  # noqa: E402
from lebm_tf.mcmc import rng, run_chain  # noqa: E402
from lebm_tf.models import answers  # noqa: E402
from lebm_tf.samplers import Draws  # noqa: E402
from lebm_tf.serving import ServingConfig, export_model  # noqa: E402

_NUM_PICTURES = 1_000


def pictures(setting: Setting) -> ImageData:
    """Noise in the shape of the data; speed does not depend on what it is."""
    numbers = np.random.default_rng(0)
    count = max(_NUM_PICTURES, setting.batch_size)
    return ImageData("noise", *(
        numbers.integers(0, 256, (n, *setting.shape), np.uint8)
        for n in (count, 1)))


def model_of(setting: Setting, precision: str = "float32"):
    """The library's model of a setting, freshly initialized."""
    return build("image", fields.from_dict(ImageConfig, setting.model),
                 DataSpec(setting.shape, _NUM_PICTURES),
                 batch_size=setting.batch_size, precision=precision)


class Ours:
    """A function of the number of the repetition.

    Args:
        task: What the worker was given; "threads" of it, 0 for TensorFlow's
            own choice.
    """

    def __init__(self, task):
        if task["threads"]:
            tf.config.threading.set_intra_op_parallelism_threads(
                task["threads"])
        self.threads, self.count = task["threads"], 0

    def run(self):
        """One repetition; no two have the same seed."""
        self.count += 1
        return self.once(self.count)

    def about(self):
        """Versions, threads, and how often a graph was traced."""
        return {"tensorflow": tf.__version__, "keras": keras.__version__,
                "lebm_tf": lebm_tf.__version__,
                "threads": self.threads or "TensorFlow's choice",
                **({"traces": self.traces()} if self.traces else {})}

    traces = None


class Train(Ours):
    """`EnergyModel.train_function` on batches of the library's pipeline."""

    def __init__(self, task):
        super().__init__(task)
        setting = Setting.from_json(task["setting"])
        replicas = task.get("replicas", 1)
        strategy = (strategies.mirrored(replicas) if replicas > 1 else
                    tf.distribute.get_strategy())
        with strategy.scope():
            model = model_of(setting, task["precision"])
        self.batches = iter(strategy.distribute_datasets_from_function(
            functools.partial(train_batches, pictures(setting),
                              setting.batch_size, 0, 0)))
        model.make_train_function()
        self.step = model.train_function
        self.traces = self.step.experimental_get_tracing_count

    def once(self, count):
        logs = self.step(self.batches)
        return {name: float(logs[name]) for name in (
            "loss/generator", "loss/energy")}


class Batches(Train):
    """Only the pipeline: what a step would wait for."""

    def once(self, count):
        next(self.batches)["x"].numpy()


class Chain(Ours):
    """Either chain of a model, as a compiled function of a number."""

    def __init__(self, task):
        super().__init__(task)
        setting = Setting.from_json(task["setting"])
        rows = setting.batch_size
        model = model_of(setting, task["precision"])
        if task["kind"] == "prior":
            def draw(seed):
                return model.generation.draw(
                    model.target("generation", {}), rows, Draws({}),
                    seed).position
        else:
            x = tf.constant(pictures(setting).to_model(
                pictures(setting).x_train[:rows]))

            def draw(seed):
                return answers.infer(model, x, seed)
        self.draw = tf.function(lambda count: draw(
            rng.fold_in(rng.make_seed(0), count)), autograph=False)
        self.traces = self.draw.experimental_get_tracing_count

    def once(self, count):
        self.draw(tf.constant(count, tf.int64)).numpy()


class Product(Ours):
    """Matrix products: the measured limit."""

    def __init__(self, task):
        super().__init__(task)
        size, kind = task["size"], tf.as_dtype(task["precision"])
        self.a, self.b = (tf.cast(rng.normal([size, size], rng.make_seed(i)),
                                  kind) for i in (1, 2))

        def product(a, b):
            whole = tf.matmul(a, b)
            return whole, whole[0, 0]
        self.product = tf.function(product, autograph=False)

    def once(self, count):
        self.product(self.a, self.b)[1].numpy()  # To read waits for it.


class Export(Ours):
    """Writes a model for `benchmarks.timing.served`."""

    def __init__(self, task):
        super().__init__(task)
        self.setting = Setting.from_json(task["setting"])
        self.task = task

    def once(self, count):
        export_model(
            model_of(self.setting), self.task["folder"], self.setting.shape,
            ServingConfig(max_batch=self.task["max_batch"], check_rows=4,
                          row_blocks=tuple(self.task["row_blocks"]),
                          warmup=False))


class Agreement(Ours):
    """One step whose starts and noise are written down for the other side."""

    def __init__(self, task):
        super().__init__(task)
        self.setting, self.file = Setting.from_json(task["setting"]), task[
            "file"]

    def once(self, count):
        np.savez(self.file, **known_step(self.setting))


def known_step(setting: Setting) -> dict[str, np.ndarray]:
    """All that goes into a training step and all that comes out.

    Returns:
        Weights as "weight/LAYER/kernel" and "/bias", in our layout; "x";
        "start/CHAIN" and "noise/CHAIN"; "end/CHAIN" and "loss/PART".
    """
    model = model_of(setting)
    energy, generator = model.prior.energy_network, model.likelihood.generator
    layers = {**{f"generator/{i}": layer for i, layer in enumerate(
                  (generator.first, *generator.layers))},
              **{f"energy/{i}": layer for i, layer in enumerate(
                  (*energy.layers, energy.head))}}
    arrays = {f"weight/{name}/{kind}": value.numpy()
              for name, layer in layers.items() for kind, value in (
                  ("kernel", layer.kernel), ("bias", layer.bias))}
    numbers, rows = np.random.default_rng(1), setting.batch_size
    x = arrays["x"] = numbers.uniform(
        -1, 1, (rows, *setting.shape)).astype(np.float32)
    batch, ends = {"x": tf.constant(x)}, {}
    for name, sampler, target in (
            (name, model.samplers[role], model.target(role, batch))
            for name, role in (("posterior", "positive"),
                               ("prior", "negative"))):
        start, noise = (arrays.setdefault(
            f"{kind}/{name}", numbers.standard_normal(
                (*steps, rows, setting.latent_dim)).astype(np.float32))
            for kind, steps in (("start", ()), ("noise", (
                sampler.num_steps,))))
        ends[name] = arrays[f"end/{name}"] = run_chain(
            sampler.kernel, target, tf.constant(start), sampler.num_steps,
            rng.make_seed(0), tf.constant(noise)).position.numpy()
    arrays["loss/generator"] = np.mean(model.likelihood.squared_error(
        batch["x"], tf.constant(ends["posterior"])))
    arrays["loss/energy"] = np.mean(model.energy(ends["posterior"])) - np.mean(
        model.energy(ends["prior"]))
    return arrays


KINDS = {"train": Train, "batches": Batches, "prior": Chain,
         "posterior": Chain, "product": Product, "export": Export,
         "agreement": Agreement}


def make(task):
    """Task as JSON -> what to repeat."""
    return KINDS[task["kind"]](task)


if __name__ == "__main__":
    serve(make)
