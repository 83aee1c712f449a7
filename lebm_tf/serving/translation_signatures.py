"""Signatures of a model of two domains: image-to-image translation."""

import numpy as np
import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.models import answers
from lebm_tf.models.domains import DIRECTIONS
from lebm_tf.serving import pictures
from lebm_tf.serving.rows import Field
from lebm_tf.serving.signatures import SEED, Servable


class TranslationServable(Servable):
    """A model of two domains with its signatures, two per direction.

    A request can set num_steps, 0 for the translator alone, and temperature, as
    for other chains. Arguments as in `Servable`.
    """

    def _latents(self):
        return tf.TensorSpec([None, *self.shape], tf.float32)

    def _signatures(self):
        signatures = {}
        png = pictures.Png(
            tf.string, (), "A PNG file of the model's size.",
            picture=self.shape, example=pictures.encode(
                tf.constant(_example(self.shape)[None]))[0].numpy())
        x = {"x": self._x(True, _example(self.shape))}
        energy = {"energy": Field(tf.float32, (), "Its energy in the target "
                                                  "domain, in nats.")}
        made = {"x": self._x(False), "translation": Field(
            tf.float32, self.shape, "Output of the translator, before the "
                                    "chain revises it."), **energy}
        file = {"png_bytes": Field(tf.string, (), "A PNG file."), **energy}
        for direction in DIRECTIONS:
            draw = {"seed": SEED, **self._exposed(
                self._model.roles[f"translate_{direction}"].sampler, True)}
            meaning = (f"Translations of images of {direction[0]} to "
                       f"{direction[1]}")
            signatures[f"translate_{direction}"] = self._signature(
                meaning + ".", {**x, **draw}, made, self._translate(direction))
            signatures[f"translate_{direction}_png"] = self._signature(
                meaning + ", as PNG files.", {"png_bytes": png, **draw}, file,
                self._translate_png(direction))
        return signatures

    def _translate(self, direction):
        def compute(x, seed, num_steps=None, temperature=None):
            config = self.config
            if num_steps is None and config.sample_steps >= 0:
                num_steps = config.sample_steps
            x, start, energy, _ = answers.translate(
                self._model, x, direction, rng.stream(
                    rng.make_seed(seed), f"translate_{direction}"),
                num_steps=num_steps, temperature=config.temperature if (
                    temperature is None) else temperature)
            return {"x": x, "translation": start, "energy": energy}
        return compute

    def _translate_png(self, direction):
        compute = self._translate(direction)

        def encoded(png_bytes, **rest):
            found = compute(png_bytes, **rest)
            return {"png_bytes": pictures.encode(found["x"]),
                    "energy": found["energy"]}
        return encoded


def _example(shape):
    """A ramp from dark to bright, float32 [height, width, channels]."""
    return np.broadcast_to(np.linspace(
        -1, 1, shape[1], dtype=np.float32)[None, :, None], shape).copy()
