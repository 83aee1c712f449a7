"""Configuration of the command `lebm_tf.shift`."""

import dataclasses

from lebm_tf.ranges import Checked, NonNegativeInt, PositiveFloat, PositiveInt


@dataclasses.dataclass(frozen=True)
class ShiftConfig(Checked):
    """The property to shift, and its target.

    Attributes:
        workdir: Work directory of a trained run on SMILES.
        output: Work directory of the shifted run.
        checkpoint: best (by the run's early_stop) or last, of the trained run.
        property: Property to increase: logp, qed, sa, weight or penalized_logp.
        rounds: Number of rounds; may be raised later.
        set_size: Molecules that a round trains on; at first the best of the
            training data.
        step: Increase of the property that chains aim at, in its units; 1 for
            penalized_logp and .02 for qed in the public code.
        chain_steps: Steps of the chains in a round; in the public code 2 for
            penalized_logp and 20 for qed.
        first_steps: Training steps before the first round, since the head is
            untrained.
        batch_size: Examples per training step.
        learning_rate: Learning rate of all parts except the energy.
        scale: Standard deviation of y given z, in units of the property.
        token_temperature: Temperature of the tokens of new molecules.
        seed: Seed of all random numbers.
        data_dir: Folder of the data sets; default: that of the training.
    """
    workdir: str = ""
    output: str = ""
    checkpoint: str = ""
    property: str = "qed"
    rounds: PositiveInt = 20
    set_size: PositiveInt = 2000
    step: PositiveFloat = 0.02
    chain_steps: PositiveInt = 20
    first_steps: NonNegativeInt = 200
    batch_size: PositiveInt = 100
    learning_rate: PositiveFloat = 5e-4
    scale: PositiveFloat = 0.05**0.5
    token_temperature: PositiveFloat = 1.0
    seed: int = 0
    data_dir: str = ""

    def validate(self):
        if self.batch_size > self.set_size:
            raise ValueError("batch_size must be at most set_size, got "
                             f"{self.batch_size} and {self.set_size}.")
