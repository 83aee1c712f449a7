"""What a run needs besides its model."""

import dataclasses
from typing import Annotated

from lebm_tf import precision as precisions
from lebm_tf.configuration.data import DataConfig
from lebm_tf.ranges import (
    Checked, Mark, NonNegativeFloat, NonNegativeInt, OneOf, PositiveFloat,
    PositiveInt)

CLUSTERS = ("tf_config", "slurm", "kubernetes")
ON_DIVERGENCE = ("rollback", "stop")
STRATEGIES = ("none", "mirrored", "multi_worker")


@dataclasses.dataclass(frozen=True)
class DevicesConfig(Checked):
    """On what a run is trained.

    Attributes:
        strategy: none, mirrored (several devices of this machine) or
            multi_worker (several machines, see docs/cluster.md). The result
            is that of one device, up to rounding.
        replicas: Devices of strategy=mirrored; 0 takes all GPUs, or one CPU.
            The batch is cut into so many pieces.
        cluster: How strategy=multi_worker learns of its workers: tf_config
            ($TF_CONFIG), slurm or kubernetes.
        cluster_timeout: Seconds to wait for the other workers.
        cluster_selector: Label selector of the pods of cluster=kubernetes.
        cluster_workers: Number of those pods.
    """
    strategy: Annotated[str, OneOf(STRATEGIES)] = "none"
    replicas: NonNegativeInt = 0
    cluster: Annotated[str, OneOf(CLUSTERS)] = "tf_config"
    cluster_timeout: PositiveFloat = 300.0
    cluster_selector: str = "job-name=tensorflow"
    cluster_workers: PositiveInt = 1

    def validate(self):
        if self.strategy != "multi_worker":
            self.leave_out("cluster", "cluster_timeout",
                           reason="without strategy=multi_worker")
        if self.cluster != "kubernetes":
            self.leave_out("cluster_selector", "cluster_workers",
                           reason="without cluster=kubernetes")
        if self.replicas > 1 and self.strategy != "mirrored":
            raise ValueError(f"replicas must be 0 with strategy "
                             f"{self.strategy}, got {self.replicas}.")


@dataclasses.dataclass(frozen=True)
class DivergenceConfig(Checked):
    """What counts as a divergence, and what then.

    Attributes:
        on_divergence: rollback goes back to a good checkpoint, draws other
            noise and halves the learning rate of the energy; stop stops.
        max_rollbacks: How often at most; then training stops.
        max_energy: Bound on the mean energy of a batch of chains, in nats; 0
            for none, as for all bounds.
        max_energy_gap: Bound on the difference of the mean energies of
            positive and negative chains, in nats.
        max_displacement: Bound on how far chains move on average, as a
            Euclidean norm in units of z.
        max_gradient_norm: Bound on the norm of the gradient of a part, before
            clipping.
    """
    on_divergence: Annotated[str, OneOf(ON_DIVERGENCE)] = "rollback"
    max_rollbacks: NonNegativeInt = 3
    max_energy: NonNegativeFloat = 1e4
    max_energy_gap: NonNegativeFloat = 500.0
    max_displacement: NonNegativeFloat = 1e3
    max_gradient_norm: NonNegativeFloat = 1e7


@dataclasses.dataclass(frozen=True)
class ValidationConfig(Checked):
    """What is measured during training, and chosen by it.

    Attributes:
        evaluate_every: Steps between two such measurements; 0 makes none.
        validation_evaluators: What to measure then; the evaluator of
            early_stop if empty, else evaluators.
        early_stop: Metric, as frechet/samples, whose best checkpoint is kept
            and restored for the final measurements; empty keeps none.
        patience: Measurements without a better one after which training
            stops; 0 never stops it.
    """
    evaluate_every: NonNegativeInt = 0
    validation_evaluators: tuple[str, ...] = ()
    early_stop: str = ""
    patience: Annotated[NonNegativeInt, Mark.MAY_CHANGE] = 0

    def validate(self):
        for name, needed in (("early_stop", "evaluate_every"),
                             ("validation_evaluators", "evaluate_every"),
                             ("patience", "early_stop")):
            if getattr(self, name) and not getattr(self, needed):
                raise ValueError(f"{name} must be left out without {needed}, "
                                 f"got {getattr(self, name)!r}.")


@dataclasses.dataclass(frozen=True)
class RunConfig(Checked):
    """What a run needs besides its model.

    Attributes:
        family: Name of the model family.
        data: Which data it learns from.
        workdir: Where the run keeps everything.
        train_steps: Number of the last training step, counted from the first
            start of the run.
        batch_size: Examples of a step.
        seed: Of initial weights, order of the data and all chains.
        precision: float32, mixed_bfloat16 or mixed_float16: what the networks
            compute in. Weights, chains and losses are float32 in each. auto
            takes mixed_bfloat16 where a short measurement finds it faster,
            else float32; a run that has begun goes on in what it began with.
        loss_scale: First factor on gradients of mixed_float16; it then follows
            what they can bear.
        devices: On what it is trained.
        log_every: Steps between two rows of logs.
        checkpoint_every: Steps between two checkpoints.
        divergence: What counts as a divergence, and what then.
        validation: What is measured during training.
        evaluators: What to measure after training; the family's if empty.
        backbone: Where generator and encoder come from with stage=prior, or
            the transport of the family neural_transport: the work directory of
            a run of the family image, vae, rae or flow, or a flagfile of one,
            which is trained first, in WORKDIR/backbone, on the same data.
        baseline: Flagfile of a second run, trained on the same data in
            WORKDIR/baseline and measured beside this one.
    """
    family: str = "image"
    data: Annotated[DataConfig, Mark.FLAT, Mark.SHARED] = DataConfig()
    workdir: Annotated[str, Mark.MAY_CHANGE] = ""
    train_steps: Annotated[
        PositiveInt, Mark.SHARED, Mark.MAY_CHANGE] = 10_000
    batch_size: Annotated[PositiveInt, Mark.SHARED] = 100
    seed: Annotated[int, Mark.SHARED] = 0
    precision: Annotated[
        str, OneOf((*precisions.PRECISIONS, precisions.AUTO)),
        Mark.SHARED] = "float32"
    loss_scale: Annotated[NonNegativeFloat, Mark.SHARED] = 2.0**15
    devices: Annotated[DevicesConfig, Mark.FLAT, Mark.SHARED,
                       Mark.MAY_CHANGE] = DevicesConfig()
    log_every: Annotated[PositiveInt, Mark.SHARED, Mark.MAY_CHANGE] = 50
    checkpoint_every: Annotated[
        PositiveInt, Mark.SHARED, Mark.MAY_CHANGE] = 1_000
    divergence: Annotated[DivergenceConfig, Mark.FLAT, Mark.SHARED,
                          Mark.MAY_CHANGE] = DivergenceConfig()
    validation: Annotated[ValidationConfig, Mark.FLAT] = ValidationConfig()
    evaluators: Annotated[tuple[str, ...], Mark.MAY_CHANGE] = ()
    backbone: str = ""
    baseline: Annotated[str, Mark.MAY_CHANGE] = ""

    def validate(self):
        if self.checkpoint_every % self.log_every:
            raise ValueError(
                "checkpoint_every must be a multiple of log_every, got "
                f"{self.checkpoint_every} and {self.log_every}.")
        precisions.check(self.precision, self.loss_scale)
        if self.precision == precisions.AUTO and (
                self.devices.strategy == "multi_worker"):
            raise ValueError(
                "precision must be named with strategy multi_worker, as its "
                "machines may differ, got 'auto'.")
        every = self.validation.evaluate_every
        if self.validation.early_stop and every > self.train_steps:
            raise ValueError(
                "evaluate_every must be at most train_steps with early_stop, "
                f"got {every} and {self.train_steps}.")
