"""Trains again and again in one folder, killed each time but the last.

    python -m tests.commands.killed WORKDIR FLAGS HOW...

HOW is "step:N", "time:SECONDS", "write:N" (during the N-th checkpoint that
this process writes, before its files are joined), "index:N" (after its data,
before its index), "rollback" (once a rollback has been written down) or
"end". Every run is a fork of a process that has loaded TensorFlow and not
used it yet.
"""

import os
import signal
import sys
import threading

import tensorflow as tf

from lebm_tf import files, train
from lebm_tf.training import callbacks
from tests.commands.conftest import call


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def arm(how: str) -> None:
    """Prepares this process to be killed."""
    kind, _, number = how.partition(":")
    if kind == "time":
        threading.Timer(float(number), kill).start()
    elif kind == "step":
        real = callbacks.History.on_train_batch_end

        def ended(self, batch, logs=None):
            real(self, batch, logs)
            if int(self.model.step) == int(number):
                kill()
        callbacks.History.on_train_batch_end = ended
    elif kind in ("write", "index"):
        from tensorflow.python.ops import gen_io_ops
        merge, calls = gen_io_ops.merge_v2_checkpoints, []

        def merged(prefixes, path, *args, **kwargs):
            calls.append(path)
            if len(calls) == int(number):
                if kind == "index":
                    merge(prefixes, path, *args, **kwargs)
                    os.remove(path.numpy().decode() + ".index")
                kill()
            return merge(prefixes, path, *args, **kwargs)
        gen_io_ops.merge_v2_checkpoints = merged
    elif kind == "rollback":
        write = files.write_json

        def written(path, value):
            write(path, value)
            if path.endswith("rollbacks.json"):
                kill()
        files.write_json = written


def main(workdir: str, flags: str, *hows: str) -> None:
    """Runs the forks one after the other; says how each ended."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for how in hows:
        child = os.fork()
        if not child:
            arm(how)
            os._exit(call(train, f"--workdir={workdir}", *flags.split()))
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code not in ((0,) if how == "end" else (
                -signal.SIGKILL, 0) if how.startswith("time") else (
                -signal.SIGKILL,)):
            sys.exit(f"{how}: {code}")


if __name__ == "__main__":
    main(*sys.argv[1:])
