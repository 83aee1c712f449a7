"""Loads the newest version of a folder, and lets the old one end its work."""

import contextlib
import os
import sys
import threading

import grpc
import tensorflow as tf
from tensorflow_serving.apis import get_model_status_pb2, prediction_log_pb2

from tests.serving.stand_in.batching import Batcher, Failed, count_rows, invalid

State = get_model_status_pb2.ModelVersionStatus.State
WARMUP = "assets.extra/tf_serving_warmup_requests"


class Version:
    """A loaded SavedModel, warm.

    Args:
        path: Its folder.
        number: Of the version.
        threads: Of an operation, and operations at a time; 0 as TensorFlow
            thinks best.
        batching: BatchingParameters, or None.
    """

    def __init__(self, path, number, threads=(0, 0), batching=None):
        self.number, self.users = number, 0
        with tf.Graph().as_default():
            config = tf.compat.v1.ConfigProto(
                intra_op_parallelism_threads=threads[0],
                inter_op_parallelism_threads=threads[1])
            self.session = tf.compat.v1.Session(config=config)
            self.signatures = tf.compat.v1.saved_model.load(
                self.session, ["serve"], path).signature_def
        self.batchers = {}
        if batching:
            running = threading.Semaphore(batching.num_batch_threads.value)
            self.batchers = {name: Batcher(
                lambda inputs, name=name: self._run(name, inputs),
                batching.max_batch_size.value,
                batching.batch_timeout_micros.value / 1e6,
                batching.max_enqueued_batches.value, running)
                for name in self.signatures}
        self.num_replayed = self._warm_up(os.path.join(path, WARMUP))

    def predict(self, name, inputs):
        """Name -> array of a signature, of name -> array."""
        signature = self.signature(name)
        if set(inputs) != set(signature.inputs):
            raise invalid(
                "input keys must be exactly those of the signature: "
                f"{sorted(signature.inputs)}, got {sorted(inputs)}")
        for key, info in signature.inputs.items():
            expected = tf.as_dtype(info.dtype)
            if tf.as_dtype(inputs[key].dtype) != expected:
                raise invalid(f"Expects arg[{key}] to be {expected.name} but "
                              f"{inputs[key].dtype} is provided")
        if name in self.batchers:
            return self.batchers[name](inputs)
        return self._run(name, inputs)

    def signature(self, name):
        if name not in self.signatures:
            raise invalid(f"Serving signature key \"{name}\" not found.")
        return self.signatures[name]

    def close(self):
        for batcher in self.batchers.values():
            batcher.stop()
        self.session.close()

    def _run(self, name, inputs):
        signature = self.signatures[name]
        count_rows(inputs)
        try:
            return self.session.run(
                {key: info.name for key, info in signature.outputs.items()},
                {signature.inputs[key].name: value
                 for key, value in inputs.items()})
        except (tf.errors.OpError, ValueError) as error:  # A wrong shape.
            raise invalid(str(error).split("\n")[0]) from error

    def _warm_up(self, path):
        """How many requests were replayed."""
        if not os.path.exists(path):
            return 0
        records = list(tf.data.TFRecordDataset(path).as_numpy_iterator())
        for record in records:
            request = prediction_log_pb2.PredictionLog.FromString(
                record).predict_log.request
            self.predict(request.model_spec.signature_name, {
                name: tf.make_ndarray(value)
                for name, value in request.inputs.items()})
        return len(records)


class Model:
    """The newest version of a folder.

    Args:
        name: As requests call it.
        folder: Of numbered versions.
        load: (path, number) -> `Version`.
        poll: Seconds from one look at the folder to the next.
    """

    def __init__(self, name, folder, load, poll):
        self.name, self.folder, self.load, self.poll = (
            name, folder, load, poll)
        self.states, self.current = {}, None  # Number -> (state, problem).
        self.changed, self.stopped = threading.Condition(), threading.Event()

    def watch(self):
        """Looks for new versions, until `stopped` is set."""
        while True:
            newest = max((int(name) for name in os.listdir(self.folder)
                          if name.isdigit()), default=None)
            if newest not in (None, *self.states):
                self._replace(newest)
            if self.stopped.wait(self.poll):
                return

    @contextlib.contextmanager
    def use(self, name, number=None):
        """The version that answers; it stays until the end of the block."""
        with self.changed:
            version = self.current
            if name != self.name or version is None or (
                    number not in (None, version.number)):
                wanted = f"Latest({name})" if number is None else (
                    f"Specific({name}, {number})")
                raise Failed(grpc.StatusCode.NOT_FOUND,
                             f"Servable not found for request: {wanted}")
            version.users += 1
        try:
            yield version
        finally:
            with self.changed:
                version.users -= 1
                self.changed.notify_all()

    def statuses(self, name, number=None):
        """ModelVersionStatus of all versions, the newest first."""
        found = [one for one in sorted(self.states.items(), reverse=True)
                 if number in (None, one[0])]
        if name != self.name or not found:
            raise Failed(grpc.StatusCode.NOT_FOUND,
                         f"Could not find any versions of model {name}")
        made = []
        for number, (state, problem) in found:
            made.append(get_model_status_pb2.ModelVersionStatus(
                version=number, state=state))
            if problem:
                made[-1].status.error_code = 2  # UNKNOWN.
                made[-1].status.error_message = problem
        return made

    def _replace(self, number):
        self._say(number, State.LOADING)
        try:
            new = self.load(os.path.join(self.folder, str(number)), number)
        except (tf.errors.OpError, OSError, Failed) as error:
            self._say(number, State.END, str(error))  # The old one stays.
            return
        with self.changed:
            old, self.current = self.current, new
        self._say(number, State.AVAILABLE)
        if old:
            self._say(old.number, State.UNLOADING)
            with self.changed:
                self.changed.wait_for(lambda: not old.users)
            old.close()
            self._say(old.number, State.END)

    def _say(self, number, state, problem=""):
        self.states = {**self.states, number: (state, problem)}
        sys.stderr.write(f"version {number}: {State.Name(state)} {problem}\n")
