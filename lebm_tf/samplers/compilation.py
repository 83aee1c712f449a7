"""Which chains XLA compiles."""

import tensorflow as tf

from lebm_tf.mcmc.kernel import LogProbFn, Position

SETTINGS = ("auto", "on", "off")
# Fewer moves do not earn back the seconds that compiling takes.
_WORTHWHILE_STEPS = 20
_NOT_COMPILED = {"BlockLSTM", "Where"}


def setting(value: str | bool) -> str:
    """One of `SETTINGS`; True and False stand for on and off, as do "true"
    and "false", which older configurations hold.

    Raises:
        ValueError: If it is none.
    """
    value = {"true": "on", "false": "off"}.get(str(value).lower(), value)
    if value not in SETTINGS:
        raise ValueError(f"jit_compile must be one of {', '.join(SETTINGS)}, "
                         f"got {value!r}.")
    return value


def wanted(setting: str, target: LogProbFn, start: Position, num_steps: int
           ) -> bool:
    """Whether to compile a chain.

    "auto" compiles all chains on a GPU. On a CPU XLA's convolutions are 5 to
    8 times slower than those of TensorFlow, so chains with any are left out.
    What XLA can't compile, as the recurrent layer of sequences, never is.

    Args:
        setting: One of `SETTINGS`.
        target: What the chain climbs, position -> [chains].
        start: Where it starts.
        num_steps: Moves of the chain.
    """
    if setting != "auto":
        return setting == "on"
    names = _operations(target, start)
    if _NOT_COMPILED & names:
        return False
    if tf.config.list_logical_devices("GPU"):
        return True
    return num_steps >= _WORTHWHILE_STEPS and not any(
        "Conv" in name for name in names)


def _operations(target, start) -> set[str]:
    graph = tf.function(target, autograph=False).get_concrete_function(
        tf.nest.map_structure(
            lambda leaf: tf.TensorSpec(leaf.shape, leaf.dtype), start)
    ).graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function
                            for node in function.node_def)]
    return {node.op for node in nodes}
