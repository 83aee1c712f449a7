"""Calls an exported model as a server does: TensorFlow and the folder alone.

    python -m benchmarks.timing.served   (a worker of benchmarks.speed)
"""

import os

from benchmarks.timing.protocol import serve

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class Requests:
    """Requests of one size to `sample`, each with other seeds.

    Args:
        task: "folder" of the exported model, "rows" of a request, "threads".
    """

    def __init__(self, task):
        import tensorflow as tf
        self.tf, self.threads, self.rows = tf, task["threads"], task["rows"]
        if self.threads:
            tf.config.threading.set_intra_op_parallelism_threads(self.threads)
        versions = [int(name) for name in os.listdir(task["folder"])
                    if name.isdigit()]
        self.model = tf.saved_model.load(
            os.path.join(task["folder"], str(max(versions))))
        self.function = self.model.signatures["sample"]
        self.next_seed = 0

    def run(self):
        """One request, and its answer as arrays."""
        seeds = range(self.next_seed, self.next_seed + self.rows)
        self.next_seed += self.rows
        answer = self.function(
            seed=self.tf.constant(list(seeds), self.tf.int64))
        arrays = {name: value.numpy() for name, value in answer.items()}
        wrong = [status for status in arrays["status"] if status]
        if wrong:
            raise ValueError(f"every row must be good, got {wrong[0]}")

    def about(self):
        """Versions and threads."""
        return {"tensorflow": self.tf.__version__, "threads": self.threads
                or "TensorFlow's choice"}


if __name__ == "__main__":
    serve(Requests)
