"""Asks small models of every family for rows in batches of many sizes.

    python -m tests.serving.every_size some|every [MODEL ...]

prints, as JSON, which signatures gave a row that depends on the size. Sizes are
those next to whole blocks, or every one; models are all, or those named. With
`some`, signatures whose parts others compute are left out, too.
"""

import json
import sys

from lebm_tf.configuration import startup

startup.import_tensorflow()

import numpy as np  # noqa: E402

from lebm_tf.datasets import Vocabulary  # noqa: E402
from lebm_tf.families import (  # noqa: E402
    ChainConfig, DataSpec, EncoderConfig, EnergyConfig, GeneratorConfig, build,
    image, sequence, symbol_vector, trajectory)
from lebm_tf.serving import (  # noqa: E402
    Servable, ServingConfig, blocks, requests)
from lebm_tf.serving.path_signatures import PathServable  # noqa: E402
from lebm_tf.serving.texts import TextServable  # noqa: E402

SHAPE = (8, 8, 1)
# What the other signatures compute as well.
PARTS = {"infer", "energy", "interpolate", "sample_png", "score_png"}
ENERGY, PRIOR = EnergyConfig((64, 64)), ChainConfig(4, 0.4)
IMAGE = image.ImageConfig(
    latent_dim=16, energy=ENERGY, generator=GeneratorConfig(4, (32,)),
    prior=PRIOR, posterior=ChainConfig(2, 0.1))
VOCABULARY = Vocabulary(
    ("<pad>", "<unk>", "<bos>", "<eos>", *"abcdefghijkl"), "characters")
WORDS = DataSpec((9,), num_train=12, num_tokens=len(VOCABULARY),
                 kind="sequence")
WALKS = DataSpec((12, 2), num_train=12, past_length=8,
                 kind="trajectory")


def servables():
    """Name -> what answers."""
    data = DataSpec(SHAPE, num_train=12)
    model = build("image", IMAGE, data, batch_size=4)
    yield "image", Servable(model, SHAPE, ServingConfig(num_points=2))
    yield "exposed", Servable(model, SHAPE, ServingConfig(
        exposed=("num_steps", "temperature"), max_steps=9, num_points=3))
    config = sequence.SequenceConfig(
        latent_dim=16, energy=ENERGY, prior=PRIOR,
        decoder=sequence.DecoderConfig("lstm", 16, 32),
        posterior=ChainConfig(2, 0.1))
    yield "sequence", TextServable(
        build("sequence", config, WORDS, batch_size=4), WORDS.shape,
        ServingConfig(num_points=3), VOCABULARY)
    config = symbol_vector.SymbolVectorConfig(
        latent_dim=16, generator=GeneratorConfig(4, (32,)), energy=ENERGY,
        image_encoder=EncoderConfig((16,)), prior=PRIOR, num_symbols=5)
    yield "symbol", Servable(
        build("symbol_vector", config, data, batch_size=4), SHAPE,
        ServingConfig(num_points=3))
    config = trajectory.TrajectoryConfig(
        latent_dim=16, prior=PRIOR, energy=ENERGY,
        plan_steps=(3, 7, 11), num_pools=2)
    yield "trajectory", PathServable(
        build("trajectory", config, WALKS, batch_size=4), WALKS.shape,
        ServingConfig(num_paths=5))


def choose(servable, sizes):
    """Lets it compute in the blocks that an export would choose."""
    blocks.choose(servable.blocks, functions_of(servable), requests.examples(
        servable.signatures, range(blocks.NUM_ROWS)), sizes)


def functions_of(servable):
    """Signature -> what answers."""
    return {name: signature.function
            for name, signature in servable.signatures.items()
            if sys.argv[1] == "every" or name not in PARTS}


def counts(longest):
    """The sizes of batches."""
    return [size for size in range(1, longest + 1)
            if sys.argv[1] == "every" or size < 6 or size % 16 in (0, 1, 15)]


def served(servable, sizes, chosen=()):
    """Signature -> largest difference, of those that differ; of all
    signatures, or of those chosen."""
    order = np.random.default_rng(0).permutation(sizes)
    batches = [np.arange(size) for size in counts(sizes)]
    asked = requests.examples(servable.signatures, range(sizes))
    functions = functions_of(servable)
    found = blocks.differing_rows(functions, {
        name: request for name, request in asked.items()
        if name in functions and name in (chosen or asked)},
        [*batches, order, order[:31]])
    return {name: value for name, value in found.items() if value}


def in_python(sizes):
    """The same of `model.sample`, `infer`, `reconstruct` and `score`."""
    model = build("image", IMAGE, DataSpec(SHAPE, 12), batch_size=4)
    model.inference_batch = 24  # So that answers are of several batches.
    whole = model.sample(sizes, seed=3)
    x = np.clip(whole.x, -1, 1)

    def answers(count):
        return {"sample": model.sample(count, seed=3)._asdict(),
                "infer": {"z": model.infer(x[:count], 3)},
                "reconstruct": {"x": model.reconstruct(x[:count], 3)},
                "score": model.score(x[:count], 3)._asdict()}
    longest, differing = answers(sizes), {}
    for count in counts(sizes):
        for name, answer in answers(count).items():
            for key, value in answer.items():
                expected = np.asarray(longest[name][key])[:count]
                if not np.array_equal(value, expected):
                    differing[name] = float(np.abs(value - expected).max())
    return differing


def main() -> None:
    """Prints {name: {"sizes": of batches, "differing": by signature}}."""
    report = {}
    for name, servable in servables():
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        longest = name == "image"  # The longest ones of what others are of.
        # Blocks of 256 are dear to try: `every` does.
        choose(servable, 256 if longest and sys.argv[1] == "every" else 64)
        report[name] = {"sizes": 64, "differing": served(servable, 64)}
        if longest:
            report[name] = {"sizes": 256, "differing": {
                **report[name]["differing"],
                **served(servable, 256, ("sample", "score"))}}
    if "in Python" in (sys.argv[2:] or ["in Python"]):
        report["in Python"] = {"sizes": 64, "differing": in_python(64)}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
