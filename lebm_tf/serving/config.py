"""Settings of exported models, and the limits of requests."""

import dataclasses
from typing import Annotated

from lebm_tf.ranges import (
    Checked, Ge, Gt, NonNegativeInt, OneOf, OrZero, PositiveFloat, PositiveInt)

EXPOSABLE = ("num_steps", "temperature", "token_temperature")


@dataclasses.dataclass(frozen=True)
class ServingConfig(Checked):
    """Settings of exported models, and the limits of requests.

    Attributes:
        max_batch: Maximum number of rows per call; larger calls are rejected.
        row_blocks: Numbers of rows that are computed together: a call is split
            into such blocks and its last one padded, because rounding in matrix
            kernels depends on the number of rows. Default: the smallest block,
            and larger ones, for which the export finds every row bitwise equal
            at every position. 1 computes row by row: least work for a single
            row, most for many.
        sample_steps: Steps of the prior chains; -1 as trained.
        infer_steps: Steps of the posterior chains; -1 as trained.
        temperature: T of the prior chains, whose target is log p / T.
        token_temperature: Temperature of the tokens of sequences; 0 for that of
            the model.
        exposed: Which of num_steps, temperature and token_temperature each row
            of a request sets, in place of these four; default: none.
        max_steps: Largest number of steps in a request.
        min_temperature: Lowest temperature in a request.
        max_temperature: Highest temperature in a request.
        num_paths: Predicted futures per agent.
        max_companions: Maximum number of companions of an agent in a request.
        num_points: Points of an interpolation, including both ends.
        check_rows: Rows for checking that row i does not depend on the batch;
            the result is reported in the model card. 0 skips the check and uses
            blocks of 16 rows untested.
        hlo_rows: Samples per call of the program of --format=hlo.
        warmup: Whether to write requests that a server replays at its start;
            needs tensorflow-serving-api.
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
