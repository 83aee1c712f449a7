"""Batches of two image domains: sampling, crops and flips."""

import tensorflow as tf

from lebm_tf.datasets.images.data import to_model
from lebm_tf.datasets.images.pairs import PairData
from lebm_tf.errors import InputError
from lebm_tf.mcmc import rng


def pair_rows(data: PairData, batch_size: int, seed: int):
    """Selects the images of each step.

    With independent draws each domain has its own order and epochs, and the
    larger domain defines those of the data. With serial draws one permutation
    serves both domains, modulo their sizes, as the authors pair images.

    Args:
        data: The domains.
        batch_size: Images of each domain per step.
        seed: Any int64.

    Returns:
        (step, int64 []) -> (index, int64 [batch_size]; domain -> indices of
        training images, int64 [batch_size]).

    Raises:
        InputError: If a domain is smaller than a batch.
    """
    counts = {name: len(domain.x_train)
              for name, domain in data.domains.items()}
    independent = data.options.draws == "independent"
    for name, count in counts.items():
        if independent and count < batch_size:
            raise InputError(
                f"batch_size must be at most {count}, the number of training "
                f"images in domain {name} of {data.name}, got {batch_size}; or "
                "use pair_draws=serial.")
    base = rng.stream(rng.make_seed(seed), "data")
    largest = max(counts.values())

    def order(stream, step, count):
        steps = count // batch_size
        positions = step % steps * batch_size + tf.range(
            batch_size, dtype=tf.int64)
        return rng.permutation(
            positions, rng.fold_in(stream, step // steps), count)

    def rows(step):
        index = order(base, step, largest)
        if not independent:
            return index, {name: index % count
                           for name, count in counts.items()}
        found, is_taken = {}, False
        for name, count in counts.items():
            own = count < largest or is_taken
            found[name] = order(rng.stream(base, name), step,
                                count) if own else index
            is_taken = is_taken or not own
        return index, found
    return rows


def pair_batches(data: PairData, batch_size: int, seed: int, start_step: int,
                 context: tf.distribute.InputContext) -> tf.data.Dataset:
    """As `train_batches`, with {"a": ..., "b": ...} as "x"."""
    num_replicas = context.num_replicas_in_sync
    if batch_size % num_replicas:
        raise InputError(f"batch_size must be a multiple of the {num_replicas}"
                         f" replicas, got {batch_size}.")
    size = batch_size // num_replicas
    num_local = num_replicas // context.num_input_pipelines
    first = context.input_pipeline_id * num_local
    rows = pair_rows(data, batch_size, seed)
    with tf.device("CPU"):
        pictures = {name: tf.convert_to_tensor(domain.x_train)
                    for name, domain in data.domains.items()}
    own = rng.stream(rng.make_seed(seed), "augmentation")

    def piece(number):
        step = number // num_local
        begin = (number % num_local + first) * size

        def mine(whole):
            whole = whole[begin:begin + size]
            return tf.ensure_shape(whole, [size, *whole.shape[1:]])
        index, found = rows(step)
        x = {}
        for name, numbers in found.items():
            drawn = rng.uniform(
                [batch_size, 3], rng.fold_in(rng.stream(own, name), step))
            x[name] = augmented(
                to_model(tf.gather(pictures[name], mine(numbers))),
                data.options, mine(drawn))
        return {"x": x, "index": mine(index)}
    pieces = tf.data.Dataset.counter(start_step * num_local)
    return pieces.map(piece, num_parallel_calls=tf.data.AUTOTUNE,
                      deterministic=True).prefetch(tf.data.AUTOTUNE)


def augmented(x: tf.Tensor, options, drawn: tf.Tensor) -> tf.Tensor:
    """Random crops and flips of training images.

    Images are resized (bicubic) to sides longer by the margin, and a random
    window of the original size is cropped; they are flipped left to right with
    probability 1/2. As data/unaligned_data.py of zilongzheng/CycleCoopNets (256
    pixels, margin 30).

    Args:
        x: [batch, height, width, channels] in [-1, 1].
        options: `PairOptions`.
        drawn: Uniform numbers, [batch, 3]: row and column of the window, flip.
    """
    height, width = x.shape[1:3]
    if options.margin:
        large = tf.image.resize(
            x, [height + options.margin, width + options.margin], "bicubic")
        corner = tf.cast(drawn[:, :2] * (options.margin + 1), tf.int32)
        for axis, side in ((1, height), (2, width)):
            window = corner[:, axis - 1, None] + tf.range(side)
            large = tf.gather(large, window, axis=axis, batch_dims=1)
        x = tf.ensure_shape(tf.clip_by_value(large, -1.0, 1.0), x.shape)
    if options.flip:
        x = tf.where(drawn[:, 2, None, None, None] < 0.5, x[:, :, ::-1], x)
    return x
