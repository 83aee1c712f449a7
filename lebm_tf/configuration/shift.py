"""What `lebm_tf.shift` needs to know."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class ShiftConfig:
    """How far to shift what.

    Attributes:
        workdir: Work directory of a trained run of SMILES.
        output: Work directory of the shifted one.
        checkpoint: best (by the run's early_stop) or last, of the first.
        property: logp, qed, sa, weight or penalized_logp; the higher the
            better.
        rounds: Rounds, >= 1. More may be asked for later.
        set_size: Molecules that a round learns from, >= 1; they begin as the
            best of the training data.
        step: How much higher than now, > 0, in units of the property; 1 for
            penalized_logp and .02 for qed in the public code.
        chain_steps: Moves of the chains of a round, >= 1; 2 and 20 there.
        first_steps: Training steps before the first round, >= 0: the head
            knows nothing yet.
        batch_size: Examples of a training step.
        learning_rate: > 0, of all parts but the energy.
        scale: Standard deviation > 0 of y given z, in units of the property.
        token_temperature: > 0, of the tokens of new molecules.
        seed: Of everything drawn.
        data_dir: Where the data lie, if not where they lay in training.
    """
    workdir: str = ""
    output: str = ""
    checkpoint: str = ""
    property: str = "qed"
    rounds: int = 20
    set_size: int = 2000
    step: float = 0.02
    chain_steps: int = 20
    first_steps: int = 200
    batch_size: int = 100
    learning_rate: float = 5e-4
    scale: float = 0.05**0.5
    token_temperature: float = 1.0
    seed: int = 0
    data_dir: str = ""

    def __post_init__(self):
        for name in ("rounds", "set_size", "chain_steps", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be >= 1, got {getattr(self, name)}.")
        if self.first_steps < 0:
            raise ValueError(
                f"first_steps must be >= 0, got {self.first_steps}.")
        if self.batch_size > self.set_size:
            raise ValueError("batch_size must be at most set_size, got "
                             f"{self.batch_size} and {self.set_size}.")
        for name in ("step", "learning_rate", "scale", "token_temperature"):
            if not getattr(self, name) > 0:
                raise ValueError(
                    f"{name} must be > 0, got {getattr(self, name)}.")
