"""What `lebm_tf.sample` draws, and where to."""

import dataclasses
from typing import Annotated

from lebm_tf.ranges import (
    Checked, Ge, Gt, OneOf, OrZero, PositiveFloat, PositiveInt)


@dataclasses.dataclass(frozen=True)
class SampleConfig(Checked):
    """What to draw, and where to.

    Attributes:
        workdir: Work directory of a run.
        checkpoint: best (by the run's early_stop) or last; best if the run
            kept one.
        num_samples: How many.
        seed: Any integer; the same seed gives the same samples.
        output: File to write: .png of pictures, molecules and trajectories,
            .txt or .smi of sequences, or .npz.
        num_steps: Moves of the chains; -1 as trained, 0 draws from the base.
        temperature: Chains climb log p / temperature.
        attribute: What samples shall have, as QED=0.9, of a run with a
            --property: chains of p(z | y) draw them.
        token_temperature: Of sequences: probabilities of tokens are to the
            power of its inverse; 0 takes the model's own.
        label: Symbols to draw from p(z | y), of the family symbol_vector; of
            several each gets as many samples, one row of a grid.
        num_paths: Predictions of each agent of trajectories.
        direction: Of a run on two domains: ab or ba.
        input: Of a run on two domains: folder of pictures to translate, of the
            size of training; held-out ones if empty.
        data_dir: Where trajectories, or two domains, lie, if not where they
            lay in training.
    """
    workdir: str = ""
    checkpoint: str = ""
    num_samples: PositiveInt = 64
    seed: int = 0
    output: str = ""
    num_steps: Annotated[int, Ge(-1)] = -1
    temperature: PositiveFloat = 1.0
    token_temperature: Annotated[float, OrZero(Gt(0))] = 0.0
    attribute: str = ""
    label: tuple[int, ...] = ()
    num_paths: PositiveInt = 20
    direction: Annotated[str, OneOf(("ab", "ba"))] = "ab"
    input: str = ""
    data_dir: str = ""

    def validate(self):
        if self.label and self.num_samples % len(self.label):
            raise ValueError(
                f"num_samples must be a multiple of the {len(self.label)} "
                f"labels, got {self.num_samples}.")
