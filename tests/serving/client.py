"""Runs a SavedModel through TensorFlow's C API, without its Python.

    python client.py JOB.json

TensorFlow Serving uses the same C++ loader. JOB.json holds `path`, `config`
(ConfigProto in hex), and `calls`: each with `inputs`, a list of (tensor name,
dtype number, values), and `outputs`, a list of (tensor name, dtype number).
Writes a JSON list with a list of arrays for each call; of strings only whether
each is empty.
"""

import ctypes
import importlib.util
import json
import os
import sys

import numpy as np

STRING = 7
DTYPES = {1: np.float32, 3: np.int32, 9: np.int64}


class Output(ctypes.Structure):
    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


def library():
    folder = importlib.util.find_spec("tensorflow").submodule_search_locations
    for name in ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2"):
        found = ctypes.CDLL(os.path.join(folder[0], name), ctypes.RTLD_GLOBAL)
    for name in ("TF_NewGraph", "TF_NewStatus", "TF_NewSessionOptions",
                 "TF_LoadSessionFromSavedModel", "TF_AllocateTensor",
                 "TF_GraphOperationByName", "TF_TensorData"):
        getattr(found, name).restype = ctypes.c_void_p
    found.TF_Dim.restype = ctypes.c_int64
    found.TF_Message.restype = ctypes.c_char_p
    return found


class Session:
    """A loaded model."""

    def __init__(self, path, config):
        self.tf = library()
        self.status = ctypes.c_void_p(self.tf.TF_NewStatus())
        self.graph = ctypes.c_void_p(self.tf.TF_NewGraph())
        options = ctypes.c_void_p(self.tf.TF_NewSessionOptions())
        self.tf.TF_SetConfig(options, config, ctypes.c_size_t(len(config)),
                             self.status)
        tags = (ctypes.c_char_p * 1)(b"serve")
        self.session = ctypes.c_void_p(self.tf.TF_LoadSessionFromSavedModel(
            options, None, path.encode(), tags, 1, self.graph, None,
            self.status))
        self.check()

    def check(self):
        if self.tf.TF_GetCode(self.status):
            raise RuntimeError(self.tf.TF_Message(self.status).decode())

    def place(self, name):
        operation, _, index = name.partition(":")
        found = self.tf.TF_GraphOperationByName(
            self.graph, operation.encode())
        assert found, name
        return Output(found, int(index))

    def tensor(self, dtype, values):
        array = np.ascontiguousarray(values, DTYPES[dtype])
        sizes = (ctypes.c_int64 * array.ndim)(*array.shape)
        made = self.tf.TF_AllocateTensor(
            dtype, sizes, array.ndim, ctypes.c_size_t(array.nbytes))
        ctypes.memmove(self.tf.TF_TensorData(ctypes.c_void_p(made)),
                       array.ctypes.data, array.nbytes)
        return made

    def array(self, tensor, dtype):
        tensor = ctypes.c_void_p(tensor)
        shape = [self.tf.TF_Dim(tensor, i)
                 for i in range(self.tf.TF_NumDims(tensor))]
        # A string takes 24 bytes; the first is 0 of an empty one.
        kind = np.dtype("V24") if dtype == STRING else np.dtype(DTYPES[dtype])
        data = ctypes.string_at(self.tf.TF_TensorData(tensor),
                                kind.itemsize * int(np.prod(shape)))
        if dtype == STRING:
            return [data[24 * i] == 0 for i in range(shape[0])]
        return np.frombuffer(data, kind).reshape(shape).tolist()

    def run(self, inputs, outputs):
        sources = (Output * len(inputs))(*(self.place(i[0]) for i in inputs))
        values = (ctypes.c_void_p * len(inputs))(
            *(self.tensor(*i[1:]) for i in inputs))
        wanted = (Output * len(outputs))(*(self.place(o[0]) for o in outputs))
        results = (ctypes.c_void_p * len(outputs))()
        self.tf.TF_SessionRun(
            self.session, None, sources, values, len(inputs), wanted, results,
            len(outputs), None, 0, None, self.status)
        self.check()
        return [self.array(result, dtype)
                for result, (_, dtype) in zip(results, outputs)]


def main(path):
    with open(path, encoding="utf-8") as file:
        job = json.load(file)
    session = Session(job["path"], bytes.fromhex(job["config"]))
    answers = [session.run(one["inputs"], one["outputs"])
               for one in job["calls"]]
    assert "tensorflow" not in sys.modules and "lebm_tf" not in sys.modules
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1])
