"""What `lebm_tf.shift` needs to know."""

import dataclasses

from lebm_tf.ranges import Checked, NonNegativeInt, PositiveFloat, PositiveInt


@dataclasses.dataclass(frozen=True)
class ShiftConfig(Checked):
    """How far to shift what.

    Attributes:
        workdir: Work directory of a trained run of SMILES.
        output: Work directory of the shifted one.
        checkpoint: best (by the run's early_stop) or last, of the first.
        property: logp, qed, sa, weight or penalized_logp; the higher the
            better.
        rounds: Rounds. More may be asked for later.
        set_size: Molecules that a round learns from; they begin as the best of
            the training data.
        step: How much higher than now, in units of the property; 1 for
            penalized_logp and .02 for qed in the public code.
        chain_steps: Moves of the chains of a round; 2 and 20 there.
        first_steps: Training steps before the first round: the head knows
            nothing yet.
        batch_size: Examples of a training step.
        learning_rate: Of all parts but the energy.
        scale: Standard deviation of y given z, in units of the property.
        token_temperature: Of the tokens of new molecules.
        seed: Of everything drawn.
        data_dir: Where the data lie, if not where they lay in training.
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
