"""Configuration of commands that read a trained model."""

import dataclasses

from lebm_tf.ranges import Checked


@dataclasses.dataclass(frozen=True)
class SourceConfig(Checked):
    """The trained model that a command reads.

    Attributes:
        workdir: Work directory of a run.
        model: Published model to read instead: zoo:NAME, a folder, an archive
            (.tar.gz) or its URL.
        sha256: Checksum of the archive of --model; needed for a URL.
        checkpoint: best (by the run's early_stop) or last; default: best if the
            run kept one.
    """
    workdir: str = ""
    model: str = ""
    sha256: str = ""
    checkpoint: str = ""
