"""What a model is exported to answer, and the limits of a request."""

import dataclasses
import math

EXPOSABLE = ("num_steps", "temperature", "token_temperature")


@dataclasses.dataclass(frozen=True)
class ServingConfig:
    """What a served model answers, and its limits.

    Attributes:
        max_batch: Most rows of a call, >= 1; a longer one is refused.
        row_blocks: Numbers of rows, each >= 1, that are computed together: a
            call is cut into such blocks and its last one filled up, because
            matrix kernels round otherwise for other numbers of rows. Empty:
            the smallest block, and larger ones, in which the export finds
            every row equal bit for bit wherever it stands. 1 computes row by
            row: least work for a single row, most for many.
        sample_steps: Moves of the prior chains; -1 as trained.
        infer_steps: Moves of the posterior chains; -1 as trained.
        temperature: > 0; prior chains climb log p / temperature.
        token_temperature: > 0, of the tokens of sequences; 0 takes the
            model's own.
        exposed: Which of num_steps, temperature, token_temperature every row
            of a request chooses, in place of these four; none if empty.
        max_steps: Most moves that a request may choose, >= 0.
        min_temperature: Least temperature that a request may choose, > 0.
        max_temperature: Highest temperature that a request may choose.
        num_paths: Futures of an agent in an answer, >= 1.
        max_companions: Most companions of an agent in a request, >= 0.
        num_points: Points of an interpolation with both its ends, >= 2.
        check_rows: Rows of the check that row i does not depend on the batch,
            whose result goes into the model card. 0 skips it and takes blocks
            of 16 rows without trying them.
        hlo_rows: Samples of the program of --format=hlo, >= 1.
        warmup: Whether requests are written that a server replays at its
            start, which needs tensorflow-serving-api.
    """
    max_batch: int = 256
    row_blocks: tuple[int, ...] = ()
    sample_steps: int = -1
    infer_steps: int = -1
    temperature: float = 1.0
    token_temperature: float = 0.0
    exposed: tuple[str, ...] = ()
    max_steps: int = 1_000
    min_temperature: float = 0.1
    max_temperature: float = 10.0
    num_paths: int = 20
    max_companions: int = 8
    num_points: int = 8
    check_rows: int = 64
    hlo_rows: int = 16
    warmup: bool = True

    def __post_init__(self):
        for name, least in (("max_batch", 1), ("hlo_rows", 1),
                            ("sample_steps", -1), ("infer_steps", -1),
                            ("max_steps", 0), ("num_points", 2),
                            ("num_paths", 1), ("max_companions", 0),
                            ("check_rows", 0)):
            if getattr(self, name) < least:
                raise ValueError(
                    f"{name} must be >= {least}, got {getattr(self, name)}.")
        if any(size < 1 for size in self.row_blocks):
            raise ValueError("row_blocks must all be >= 1, got "
                             f"{', '.join(map(str, self.row_blocks))}.")
        for name in ("temperature", "min_temperature", "max_temperature"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(
                    f"{name} must be > 0 and finite, got {value}.")
        if not 0 <= self.token_temperature < math.inf:
            raise ValueError("token_temperature must be > 0 and finite, or 0, "
                             f"got {self.token_temperature}.")
        if self.min_temperature > self.max_temperature:
            raise ValueError(
                "max_temperature must be >= min_temperature, got "
                f"{self.max_temperature} and {self.min_temperature}.")
        for name in self.exposed:
            if name not in EXPOSABLE:
                raise ValueError(f"exposed must be among "
                                 f"{', '.join(EXPOSABLE)}, got {name!r}.")
