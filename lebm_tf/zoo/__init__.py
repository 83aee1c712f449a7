"""Published models: the zoo, folders, archives and URLs.

A published model is a folder with the configuration of a run and its weights
without optimizers. The models of the zoo are the folders beside this file.
"""

from lebm_tf.zoo.archives import ENDING, checksum, pack, unpack
from lebm_tf.zoo.sources import MODELS, PREFIX, folder, names

__all__ = ["ENDING", "MODELS", "PREFIX", "checksum", "folder", "names", "pack",
           "unpack"]
