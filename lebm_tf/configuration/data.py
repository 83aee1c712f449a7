"""Which data a run learns from, and how they are read."""

import dataclasses
import os
from typing import Annotated

from lebm_tf import kinds
from lebm_tf.ranges import (
    Checked, Ge, Interval, Mark, NonNegativeFloat, NonNegativeInt, OneOf, Only,
    OrZero, PositiveFloat, PositiveInt)

UNITS = ("px", "m")
INVALID_SMILES = ("unchecked", "keep", "drop")

PAIR_DRAWS, MADE = ("independent", "serial"), ("inverted", "turned", "edges")

_IMAGES = Only((kinds.IMAGE, kinds.PAIR))
_SEQUENCES, _VECTORS, _TRAJECTORIES, _PAIRS = (
    Only((kind,)) for kind in (
        kinds.SEQUENCE, kinds.VECTOR, kinds.TRAJECTORY, kinds.PAIR))


@dataclasses.dataclass(frozen=True)
class PairOptions(Checked):
    """How two domains of pictures are drawn in training.

    Attributes:
        draws: independent orders of both domains; or serial, as the authors of
            cycle translation pair them: one order, modulo their sizes.
        margin: Pixels by which sides are enlarged before a window of the
            picture's size is cut out at random; 0 cuts nothing. Published: 30
            for 256 pixels.
        flip: Whether pictures are flipped from left to right half of the time.
        made: Makes the second domain of the first, for trials with a known
            truth: inverted, turned (colours) or edges. Training pictures then
            are in one domain each, and held-out ones in both.
        same: Insists on the same data set as both domains.
    """
    draws: Annotated[str, OneOf(PAIR_DRAWS)] = "independent"
    margin: NonNegativeInt = 0
    flip: bool = False
    made: Annotated[str, OneOf(("", *MADE))] = ""
    same: bool = False


@dataclasses.dataclass(frozen=True)
class TrajectoryOptions(Checked):
    """How to read trajectories; the defaults are those of LB-EBM.

    Attributes:
        past_length: Observed positions of an agent; two make a velocity.
        future_length: Positions to predict.
        stride: Positions between the starts of two windows of a recording.
        min_agents: Windows with fewer agents at one time are left out.
        neighbour_distance: For `neighbour_groups`, in the unit of the data.
            Below 0 the data set's own: 100 px for sdd; for the others no
            limit, all agents of a window are a group.
        unit: Of a user's own file, "px" or "m"; the public sets have theirs.
        frame_step: Frame numbers from one position to the next in a user's
            own file; 0 finds the commonest one.
        frame_interval: Seconds from one position to the next in a user's own
            file.
        test_fraction: Share of the time of every scene of a user's own file,
            its end, that is held out.
        validation_by: What validation_fraction takes out of the training
            data: scene, whole ones, or time, a stretch of each.
        data_scale: Units of the model for one of positions; 0 takes 1.86 for
            px and 60 for m, as LB-EBM does.
        time_reversed: Whether every training path is also walked backwards.
        rotated: Whether training groups are turned by random angles.

    """
    past_length: Annotated[int, Ge(2)] = 8
    future_length: PositiveInt = 12
    stride: PositiveInt = 1
    min_agents: PositiveInt = 1
    neighbour_distance: float = -1.0
    unit: Annotated[str, OneOf(("", *UNITS))] = ""
    frame_step: NonNegativeInt = 0
    frame_interval: PositiveFloat = 0.4
    test_fraction: Annotated[float, Interval(gt=0, lt=1)] = 0.2
    validation_by: Annotated[str, OneOf(("scene", "time"))] = "scene"
    data_scale: NonNegativeFloat = 0.0
    time_reversed: bool = False
    rotated: bool = False


@dataclasses.dataclass(frozen=True)
class DataConfig(Checked):
    """Which data a run learns from.

    Attributes:
        dataset: digits, usps, mnist, fashion_mnist, svhn_cropped, cifar10,
            celeb_a, npz:FILE or folder:DIR; pair:A,B of two of these;
            pair:horse2zebra or pair:summer2winter; of counts of words agnews;
            of vectors protein, hepmass, miniboone or csv:FILE; of sequences
            ptb, snli, yahoo, zinc, text:FILE or smiles:FILE; of trajectories
            sdd, eth, hotel, univ, zara1, zara2 or csv:FILE with frame and
            agent.
        data_dir: Where data sets lie; $LEBM_DATA_DIR if not given.
        image_size: Side to which pictures are resized; 0 keeps them.
        crop: Part of every picture, as top,left,height,width; empty keeps
            all of it.
        pair: How the two domains of pair:A,B are drawn.
        max_length: Most tokens of a sequence, its end among them: longer ones
            are left out and counted; 0 keeps all.
        vocabulary_size: Most frequent tokens of the training data that are
            known; 0 for all.
        trajectories: How recordings of agents become windows.
        invalid_smiles: What becomes of lines of SMILES that are no molecules:
            unchecked, or, counted with RDKit, keep or drop.
        smiles_column: Column of smiles:FILE that holds the molecules, of a
            file whose first line names its columns; found if empty.
        property: Property of molecules that is learned beside them: logp, qed,
            sa, weight or penalized_logp; none if empty.
        length_pool: Batches whose sequences are drawn together and sorted by
            length before they are cut into batches, so that little of a batch
            is padding; 1 draws each batch from all.
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
        validation_fraction: Part of the training data that nothing is learned
            from; what is measured during training is measured on it, never on
            the test data. 0 where the data set has a validation part of its
            own.
    """
    dataset: str = "digits"
    data_dir: Annotated[str, Mark.MAY_CHANGE] = ""
    image_size: Annotated[NonNegativeInt, _IMAGES] = 0
    crop: Annotated[str, _IMAGES] = ""
    pair: Annotated[PairOptions, _PAIRS] = PairOptions()
    max_length: Annotated[int, OrZero(Ge(2)), _SEQUENCES] = 0
    vocabulary_size: Annotated[
        NonNegativeInt, Only((kinds.SEQUENCE, kinds.COUNTS))] = 0
    trajectories: Annotated[
        TrajectoryOptions, _TRAJECTORIES] = TrajectoryOptions()
    invalid_smiles: Annotated[
        str, OneOf(INVALID_SMILES), _SEQUENCES] = "unchecked"
    smiles_column: Annotated[str, _SEQUENCES] = ""
    property: Annotated[str, _SEQUENCES] = ""
    length_pool: Annotated[PositiveInt, _SEQUENCES] = 1
    label_column: Annotated[str, _VECTORS] = ""
    anomaly_label: Annotated[int, Ge(-1)] = -1
    num_labels: NonNegativeInt = 0
    label_seed: int = 0
    label_stratified: bool = True
    labelled_batch_size: NonNegativeInt = 0
    validation_fraction: Annotated[float, Interval(ge=0, lt=1)] = 0.0

    def validate(self):
        if not self.num_labels:
            self.leave_out("label_seed", "label_stratified",
                           "labelled_batch_size", reason="without num_labels")

    def resolved_data_dir(self) -> str:
        """The data folder, from the flag or the environment."""
        return self.data_dir or os.environ.get("LEBM_DATA_DIR", "")
