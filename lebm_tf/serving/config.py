"""What a model is exported to answer, and the limits of a request."""

import dataclasses
from typing import Annotated

from lebm_tf.ranges import (
    Checked, Ge, Gt, NonNegativeInt, OneOf, OrZero, PositiveFloat, PositiveInt)

EXPOSABLE = ("num_steps", "temperature", "token_temperature")


@dataclasses.dataclass(frozen=True)
class ServingConfig(Checked):
    """What a served model answers, and its limits.

    Attributes:
        max_batch: Most rows of a call; a longer one is refused.
        row_blocks: Numbers of rows that are computed together: a call is cut
            into such blocks and its last one filled up, because matrix kernels
            round otherwise for other numbers of rows. Empty: the smallest
            block, and larger ones, in which the export finds every row equal
            bit for bit wherever it stands. 1 computes row by row: least work
            for a single row, most for many.
        sample_steps: Moves of the prior chains; -1 as trained.
        infer_steps: Moves of the posterior chains; -1 as trained.
        temperature: Prior chains climb log p / temperature.
        token_temperature: Of the tokens of sequences; 0 takes the
            model's own.
        exposed: Which of num_steps, temperature, token_temperature every row
            of a request chooses, in place of these four; none if empty.
        max_steps: Most moves that a request may choose.
        min_temperature: Least temperature that a request may choose.
        max_temperature: Highest temperature that a request may choose.
        num_paths: Futures of an agent in an answer.
        max_companions: Most companions of an agent in a request.
        num_points: Points of an interpolation with both its ends.
        check_rows: Rows of the check that row i does not depend on the batch,
            whose result goes into the model card. 0 skips it and takes blocks
            of 16 rows without trying them.
        hlo_rows: Samples of the program of --format=hlo.
        warmup: Whether requests are written that a server replays at its
            start, which needs tensorflow-serving-api.
    """
    max_batch: PositiveInt = 256
    row_blocks: tuple[PositiveInt, ...] = ()
    sample_steps: Annotated[int, Ge(-1)] = -1
    infer_steps: Annotated[int, Ge(-1)] = -1
    temperature: PositiveFloat = 1.0
    token_temperature: Annotated[float, OrZero(Gt(0))] = 0.0
    exposed: tuple[Annotated[str, OneOf(EXPOSABLE)], ...] = ()
    max_steps: NonNegativeInt = 1_000
    min_temperature: PositiveFloat = 0.1
    max_temperature: PositiveFloat = 10.0
    num_paths: PositiveInt = 20
    max_companions: NonNegativeInt = 8
    num_points: Annotated[int, Ge(2)] = 8
    check_rows: NonNegativeInt = 64
    hlo_rows: PositiveInt = 16
    warmup: bool = True

    def validate(self):
        if self.min_temperature > self.max_temperature:
            raise ValueError(
                "max_temperature must be >= min_temperature, got "
                f"{self.max_temperature} and {self.min_temperature}.")
