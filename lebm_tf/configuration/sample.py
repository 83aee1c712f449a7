"""Configuration of the command `lebm_tf.sample`."""

import dataclasses
from typing import Annotated

from lebm_tf.configuration.source import SourceConfig
from lebm_tf.ranges import Ge, Gt, OneOf, OrZero, PositiveFloat, PositiveInt


@dataclasses.dataclass(frozen=True)
class SampleConfig(SourceConfig):
    """Samples to draw, and the output file.

    Attributes:
        num_samples: Number of samples.
        seed: Any integer; the same seed gives the same samples.
        output: File to write: .png (images, molecules, trajectories), .txt or
            .smi (sequences), or .npz.
        num_steps: Steps of the chains; -1 takes the number of training, 0
            samples the base.
        temperature: Temperature of the chains, which sample p(z)^(1 /
            temperature).
        attribute: Target property of the samples, such as QED=0.9, for a run
            with --property; chains sample p(z | y).
        token_temperature: Temperature of the token distribution of sequences; 0
            takes that of the model.
        label: Symbols y to sample from p(z | y), for a prior with symbols.
            Several symbols get equally many samples, one row of a grid each.
        num_paths: Predictions per agent, for trajectories.
        direction: Direction of translation between two domains: ab or ba.
        input: Folder of images to translate, of the training size; default:
            held-out images.
        data_dir: Folder of the data sets of trajectories or image pairs;
            default: that of the training.
    """
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
