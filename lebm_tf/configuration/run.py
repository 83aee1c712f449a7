"""What a run needs besides its model."""

import dataclasses
import os
from typing import Annotated

from lebm_tf import precision as precisions
from lebm_tf.datasets import TrajectoryOptions
from lebm_tf.devices import choices
from lebm_tf.ranges import (
    Checked, Ge, Interval, NonNegativeFloat, NonNegativeInt, OneOf, OrZero,
    PositiveFloat, PositiveInt)

ON_DIVERGENCE = ("rollback", "stop")
INVALID_SMILES = ("unchecked", "keep", "drop")


@dataclasses.dataclass(frozen=True)
class RunConfig(Checked):
    """What a run needs besides its model.

    Attributes:
        family: Name of the model family.
        dataset: digits, mnist, fashion_mnist, svhn_cropped, cifar10, celeb_a,
            npz:FILE or folder:DIR; of counts of words agnews; of vectors
            protein, hepmass, miniboone or csv:FILE; of sequences ptb, snli,
            yahoo, zinc, text:FILE or smiles:FILE; of trajectories sdd, eth,
            hotel, univ, zara1, zara2 or csv:FILE with frame and agent.
        data_dir: Where data sets lie; $LEBM_DATA_DIR if not given.
        image_size: Side to which pictures are resized; 0 keeps them.
        crop: Part of every picture, as top,left,height,width; empty keeps
            all of it.
        max_length: Most tokens of a sequence, its end among them: longer ones
            are left out and counted; 0 keeps all.
        vocabulary_size: Most frequent tokens of the training data that are
            known; 0 for all.
        trajectories: How recordings of agents become windows.
        invalid_smiles: What becomes of lines of SMILES that are no molecules:
            unchecked, or, counted with RDKit, keep or drop.
        property: Property of molecules that is learned beside them: logp, qed,
            sa, weight or penalized_logp; none if empty.
        label_column: Column of csv:FILE that holds the labels; the last if
            empty.
        anomaly_label: Label to leave out of training, for anomaly detection;
            -1 leaves none out.
        num_labels: Training examples of the family symbol_vector whose
            labels are known; all others lose theirs. 0 leaves all unused.
        label_seed: Which ones.
        label_stratified: Whether equally many of every class.
        labelled_batch_size: How many of them come with each step; 0 takes
            batch_size, or all where they are fewer.
        workdir: Where the run keeps everything.
        train_steps: Training steps.
        batch_size: Examples of a step.
        length_pool: Batches whose sequences are drawn together and sorted by
            length before they are cut into batches, so that little of a batch
            is padding; 1 draws each batch from all.
        seed: Of initial weights, order of the data and all chains.
        precision: float32, mixed_bfloat16 or mixed_float16: what the networks
            compute in. Weights, chains and losses are float32 in each. auto
            takes mixed_bfloat16 where a short measurement finds it faster,
            else float32; a run that has begun goes on in what it began with.
        loss_scale: First factor on gradients of mixed_float16; it then follows
            what they can bear.
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
        log_every: Steps between two rows of logs.
        checkpoint_every: Steps between two checkpoints.
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
        validation_fraction: Part of the training data that nothing is learned
            from; what is measured during training is measured on it, never on
            the test data. 0 where the data set has a validation part of its
            own.
        evaluate_every: Steps between two such measurements; 0 makes none.
        validation_evaluators: What to measure then; the evaluator of
            early_stop if empty, else evaluators.
        early_stop: Metric, as frechet/samples, whose best checkpoint is kept
            and restored for the final measurements; empty keeps none.
        patience: Measurements without a better one after which training
            stops; 0 never stops it.
        evaluators: What to measure after training; the family's if empty.
        baseline: Flagfile of a second run, trained on the same data in
            WORKDIR/baseline and measured beside this one.
    """
    family: str = "image"
    dataset: str = "digits"
    data_dir: str = ""
    image_size: NonNegativeInt = 0
    crop: str = ""
    max_length: Annotated[int, OrZero(Ge(2))] = 0
    vocabulary_size: NonNegativeInt = 0
    trajectories: TrajectoryOptions = TrajectoryOptions()
    invalid_smiles: Annotated[str, OneOf(INVALID_SMILES)] = "unchecked"
    property: str = ""
    label_column: str = ""
    anomaly_label: Annotated[int, Ge(-1)] = -1
    num_labels: NonNegativeInt = 0
    label_seed: int = 0
    label_stratified: bool = True
    labelled_batch_size: NonNegativeInt = 0
    workdir: str = ""
    train_steps: PositiveInt = 10_000
    batch_size: PositiveInt = 100
    length_pool: PositiveInt = 1
    seed: int = 0
    precision: Annotated[str, OneOf(
        (*precisions.PRECISIONS, precisions.AUTO))] = "float32"
    loss_scale: NonNegativeFloat = 2.0**15
    strategy: Annotated[str, OneOf(choices.STRATEGIES)] = "none"
    replicas: NonNegativeInt = 0
    cluster: Annotated[str, OneOf(choices.CLUSTERS)] = "tf_config"
    cluster_timeout: PositiveFloat = 300.0
    cluster_selector: str = "job-name=tensorflow"
    cluster_workers: PositiveInt = 1
    log_every: PositiveInt = 50
    checkpoint_every: PositiveInt = 1_000
    on_divergence: Annotated[str, OneOf(ON_DIVERGENCE)] = "rollback"
    max_rollbacks: NonNegativeInt = 3
    max_energy: NonNegativeFloat = 1e4
    max_energy_gap: NonNegativeFloat = 500.0
    max_displacement: NonNegativeFloat = 1e3
    max_gradient_norm: NonNegativeFloat = 1e7
    validation_fraction: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    evaluate_every: NonNegativeInt = 0
    validation_evaluators: tuple[str, ...] = ()
    early_stop: str = ""
    patience: NonNegativeInt = 0
    evaluators: tuple[str, ...] = ()
    baseline: str = ""

    def validate(self):
        if self.checkpoint_every % self.log_every:
            raise ValueError(
                "checkpoint_every must be a multiple of log_every, got "
                f"{self.checkpoint_every} and {self.log_every}.")
        precisions.check(self.precision, self.loss_scale)
        if self.precision == precisions.AUTO and (
                self.strategy == "multi_worker"):
            raise ValueError(
                "precision must be named with strategy multi_worker, as its "
                "machines may differ, got 'auto'.")
        if self.replicas > 1 and self.strategy != "mirrored":
            raise ValueError(f"replicas must be 0 with strategy "
                             f"{self.strategy}, got {self.replicas}.")
        for name, needed in (("early_stop", "evaluate_every"),
                             ("validation_evaluators", "evaluate_every"),
                             ("patience", "early_stop")):
            if getattr(self, name) and not getattr(self, needed):
                raise ValueError(f"{name} must be left out without {needed}, "
                                 f"got {getattr(self, name)!r}.")
        if self.early_stop and self.evaluate_every > self.train_steps:
            raise ValueError(
                "evaluate_every must be at most train_steps with early_stop, "
                f"got {self.evaluate_every} and {self.train_steps}.")

    def resolved_data_dir(self) -> str:
        """The data folder, from the flag or the environment."""
        return self.data_dir or os.environ.get("LEBM_DATA_DIR", "")
