"""Configuration of a run, apart from its model."""

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
    """The devices of a run.

    Attributes:
        strategy: none, mirrored (several devices of this machine) or
            multi_worker (several machines, see docs/cluster.md). Results equal
            those of one device up to rounding.
        replicas: Number of devices with strategy=mirrored; 0 takes all GPUs, or
            one CPU. The batch is split among them.
        cluster: Source of the worker addresses with strategy=multi_worker:
            tf_config ($TF_CONFIG), slurm or kubernetes.
        cluster_timeout: Seconds to wait for the other workers.
        cluster_selector: Label selector of the pods with cluster=kubernetes.
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
    """Bounds that detect a divergence, and the response to one.

    Attributes:
        on_divergence: rollback (restore an earlier checkpoint, draw new noise
            and halve the learning rate of the energy) or stop.
        max_rollbacks: Maximum number of rollbacks; then training stops.
        max_energy: Bound on the mean energy of a batch of chains, in nats; 0
            disables a bound.
        max_energy_gap: Bound on the difference between the mean energies of
            positive and negative chains, in nats.
        max_displacement: Bound on the mean displacement of chains, a Euclidean
            norm in units of z.
        max_gradient_norm: Bound on the gradient norm of a part, before
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
    """Evaluation during training, and selection by it.

    Attributes:
        evaluate_every: Steps between two validations; 0 runs none.
        validation_evaluators: Evaluators of a validation; default: the
            evaluator of early_stop, else evaluators.
        early_stop: Metric, such as frechet/samples, whose best checkpoint is
            kept and used after training; default: none.
        patience: Number of validations without improvement after which training
            stops; 0 never stops early.
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
    """Settings of a run, apart from its model.

    Attributes:
        family: Name of the model family.
        data: The data set.
        workdir: Work directory, which holds all files of the run.
        train_steps: Number of training steps in total, including those of
            earlier starts.
        batch_size: Examples per step.
        seed: Seed of initial weights, data order and all chains.
        precision: Compute type of the networks: float32, mixed_bfloat16 or
            mixed_float16; weights, chains and losses stay float32. auto takes
            mixed_bfloat16 if a short benchmark finds it faster, else float32. A
            run keeps the precision that it started with.
        loss_scale: Initial loss scale of mixed_float16, which is then adjusted
            dynamically.
        devices: The devices to train on.
        log_every: Steps per row of the history.
        checkpoint_every: Steps between two checkpoints.
        divergence: Detection of divergence, and the response.
        validation: Evaluation during training.
        evaluators: Evaluators to run after training; default: those of the
            family.
        backbone: Source of generator and encoder with stage=prior, of the
            transport of family neural_transport, or of the hierarchy of
            multilayer_two_stage: a work directory, or a flagfile that is
            trained first, in WORKDIR/backbone, on the same data.
        baseline: Flagfile of a second run, trained on the same data in
            WORKDIR/baseline and evaluated with this one.
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
                "precision must be given explicitly with strategy "
                "multi_worker, whose machines may differ, got 'auto'.")
        every = self.validation.evaluate_every
        if self.validation.early_stop and every > self.train_steps:
            raise ValueError(
                "evaluate_every must be at most train_steps with early_stop, "
                f"got {every} and {self.train_steps}.")
