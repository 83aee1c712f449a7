"""Metrics of image-to-image translation."""

import dataclasses
import os
from typing import Any, Iterator

import numpy as np

from lebm_tf.errors import InputError
from lebm_tf.evaluation import pictures
from lebm_tf.evaluation.evaluator import Better, Context, Evaluator, Metric
from lebm_tf.evaluation.images import classifier
from lebm_tf.kinds import PAIR
from lebm_tf.models.domains import DIRECTIONS
from lebm_tf.ranges import PositiveInt

_NUM_SHOWN = 8
_BETTER = {
    Better.LOWER: ("cycle_error",),
    Better.HIGHER: ("accuracy", "accuracy_start", "psnr", "psnr_start"),
    Better.NEITHER: ("teaching_distance", "num_images", "energy_real",
                     "energy_start", "energy", "psnr_identity",
                     "accuracy_identity", "accuracy_real")}


@dataclasses.dataclass(frozen=True)
class TranslationEvaluator(Evaluator):
    """Translations of held-out images in both directions, with and without
    revision.

    Attributes:
        num_images: Maximum number of held-out images of each domain.
        num_classifier_steps: Training steps of the classifier of each domain
            with labels.
    """
    num_images: PositiveInt = 1000
    num_classifier_steps: PositiveInt = 1000

    name = "translation"
    kinds = (PAIR,)
    metrics = {f"translation/{direction}/{what}": better
               for better, names in _BETTER.items() for what in names
               for direction in DIRECTIONS}

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Measures; writes translation_ab.png and translation_ba.png.

        For each direction, as translation/ab/NAME: `cycle_error`, mean |x -
        back| in units of the model, without revision; `teaching_distance`, mean
        (x'' - x')^2 between revision and translation; `energy_real`,
        `energy_start` and `energy` of the target domain; if both domains have
        labels, `accuracy` of a classifier of the target domain on translations,
        with the source label as truth, `accuracy_identity` on the untranslated
        images, and `accuracy_real` on the target's own; if held-out images are
        paired, `psnr` and `psnr_identity` in dB. `..._start` is without
        revision.
        """
        data, seed = context.data, context.config.seed
        for direction in DIRECTIONS:
            source, target = (data.domains[name] for name in direction)
            x = np.asarray(source.to_model(source.x_test[:self.num_images]))
            moved = model.translate(x, direction, seed)
            back = model.translate(
                moved.start, direction[::-1], seed, num_steps=0).x
            found = {
                "cycle_error": _mean(np.abs(x - back)),
                "teaching_distance": _mean((moved.x - moved.start)**2),
                "num_images": len(x)}
            if model.roles[f"translate_{direction}"].prior.has_energy:
                found |= self._energies(model, moved, direction, target)
            if data.is_paired:
                found |= self._psnr(x, moved, target)
            if source.y_test is not None and target.y_train is not None:
                found |= self._accuracies(x, moved, source, target, direction,
                                          context)
            for name, value in found.items():
                yield f"translation/{direction}/{name}", value
            if context.directory:
                yield (f"translation/{direction}/picture",
                       _picture(x, moved, back, direction, context))

    def check(self, context: Context, model: Any) -> None:
        """As `Evaluator.check`; also raises for a model without translations.
        """
        super().check(context, model)
        try:
            for direction in DIRECTIONS:
                model.check_translates(direction, context.data.shape)
        except ValueError as error:
            raise InputError(f"evaluator {self.name}: {error}") from error

    def _energies(self, model, moved, direction, target):
        """Mean energies of real images, translations and revisions, in nats."""
        real = np.asarray(target.to_model(target.x_test[:self.num_images]))
        prior = model.roles[f"translate_{direction}"].prior
        energies = [prior.energy(real[i:i + model.inference_batch])
                    for i in range(0, len(real), model.inference_batch)]
        return {"energy_real": _mean(np.concatenate(energies)),
                "energy_start": _mean(moved.start_energy),
                "energy": _mean(moved.energy)}

    def _psnr(self, x, moved, target):
        truth = np.asarray(target.to_model(target.x_test[:self.num_images]))
        return {"psnr": psnr(moved.x, truth),
                "psnr_start": psnr(moved.start, truth),
                "psnr_identity": psnr(x, truth)}

    def _accuracies(self, x, moved, source, target, direction, context):
        path = context.classifier_path
        if path:
            root, ending = os.path.splitext(path)
            path = f"{root}_{direction[1]}{ending}"
        network = classifier.trained(target, self.num_classifier_steps, path)
        labels = source.y_test[:self.num_images]
        found = {name: float(np.mean(classifier.predicted(
            network, np.clip(images, -1.0, 1.0)) == labels))
            for name, images in (("accuracy", moved.x),
                                 ("accuracy_start", moved.start),
                                 ("accuracy_identity", x))}
        if target.y_test is not None:
            found["accuracy_real"] = float(np.mean(classifier.predicted(
                network, target.x_test) == target.y_test))
        return found


def psnr(images: np.ndarray, truth: np.ndarray) -> float:
    """Mean over images of 10 log10(4 / mean squared error), in dB.

    Args:
        images: [num, ...]; clipped to [-1, 1].
        truth: The same shape, in [-1, 1].
    """
    error = np.square(np.clip(images, -1.0, 1.0) - truth)
    error = error.astype(np.float64).reshape(len(truth), -1).mean(-1)
    return float(np.mean(10.0 * np.log10(4.0 / np.maximum(error, 1e-10))))


def _mean(values) -> float:
    return float(np.mean(values, dtype=np.float64))


def _picture(x, moved, back, direction, context) -> str:
    """Writes a row of four images for each example."""
    count = min(_NUM_SHOWN, len(x))
    rows = np.stack([part[:count] for part in (x, moved.start, moved.x, back)],
                    1).reshape(-1, *x.shape[1:])
    name = f"translation_{direction}.png"
    pictures.save_panels(
        os.path.join(context.directory, name),
        [(f"{direction[0]}, as {direction[1]}, revised, and back", rows)], 4)
    return name
