"""Signatures of a trajectory model: predicted futures of agents."""

import numpy as np
import tensorflow as tf

from lebm_tf.datasets.trajectories.transforms import in_scene, normalised
from lebm_tf.mcmc import rng
from lebm_tf.models import answers
from lebm_tf.serving.rows import Field
from lebm_tf.serving.signatures import ENERGY, SEED, Servable


class PathServable(Servable):
    """A model of the family trajectory with its signature.

    Each agent is a row. Where the model uses companions, the row includes them,
    so rows do not depend on one another. Arguments as in `Servable`.
    """

    def _signatures(self):
        spec, config = self._model.recipe.data, self.config
        past, unit = (spec.past_length, 2), spec.unit
        # An agent that moves along x at about walking speed.
        walk = np.zeros(past, np.float32)
        walk[:, 0] = np.arange(past[0]) * (0.5 if unit == "m" else 12.0)
        inputs = {"past": Field(
            tf.float32, past, f"Observed positions in {unit}, the oldest "
            "first.", example=walk)}
        if self._model.context.num_pools:
            count = config.max_companions
            inputs["companions"] = Field(
                tf.float32, (count, *past), "The same for its companions, at "
                                            "the same times; values after the "
                                            "last companion are ignored.",
                example=np.broadcast_to(walk, (count, *past)))
            inputs["num_companions"] = Field(
                tf.int32, (), "Number of companions.", 0, count,
                example=min(1, count))
        paths = config.num_paths
        outputs = {
            "future": Field(tf.float32, (paths, *self.shape),
                            f"{paths} predicted futures in {unit}."),
            "energy": Field(tf.float32, (paths,), "E(z, past) of each in nats: "
                                                  "lower is more likely, up to "
                                                  "a constant per "
                                                  "agent. " + ENERGY.meaning),
            **{name: Field(field.dtype, (paths, *field.shape), field.meaning)
               for name, field in self.latents.items()}}
        draw = {**inputs, "seed": SEED,
                **self._exposed(self._model.generation, True)}
        return {"sample": self._signature(
            f"{paths} futures of an agent, with their energies.", draw,
            outputs, self._futures)}

    def _futures(self, past, seed, companions=None, num_companions=None,
                 num_steps=None, temperature=None):
        """Draws of the prior given pasts, float32 [rows, past_length, 2], and
        the predicted futures, {name: [rows, paths, ...]}."""
        model, config = self._model, self.config
        paths, scale = config.num_paths, model.recipe.data.data_scale
        if num_steps is None and config.sample_steps >= 0:
            num_steps = config.sample_steps
        if temperature is None:
            temperature = config.temperature

        def each(values):
            return tf.nest.map_structure(
                lambda leaf: tf.repeat(leaf, paths, axis=0), values)
        if tf.is_tensor(num_steps):
            num_steps = each(num_steps)
        seeds = rng.stream(rng.make_seed(seed), "sample")
        seeds = tf.stack([rng.fold_in(seeds, path)
                          for path in range(paths)], 1)
        drawn = answers.sample(
            model, tf.shape(seed)[0] * paths, tf.reshape(seeds, [-1, 2]),
            num_steps=num_steps, temperature=each(temperature) if tf.is_tensor(
                temperature) else temperature,
            condition=each(self._context(past, companions, num_companions,
                                         scale)))

        def by_agent(values):
            return tf.reshape(values, [-1, paths, *values.shape[1:]])
        return {"future": in_scene(by_agent(drawn.x), past, scale),
                "energy": by_agent(drawn.energy), **{
                    name: by_agent(leaf) for name, leaf in self._named(
                        drawn.z).items()}}

    def _context(self, past, companions, num_companions, scale):
        """The condition of each row, which is a group of its own."""
        rows = tf.range(tf.shape(past)[0])
        if companions is None:
            return self._model.context({
                "past": normalised(past, past, scale), "group": rows})
        count = companions.shape[1] + 1
        everyone = tf.concat([past[:, None], companions], 1)
        present = tf.range(count)[None] <= num_companions[:, None]
        everyone = tf.where(present[..., None, None], everyone, 0.0)
        flat = tf.reshape(everyone, [-1, *past.shape[1:]])
        group = tf.reshape(tf.where(present, rows[:, None], -1), [-1])
        condition = self._model.context({
            "past": normalised(flat, flat, scale), "group": group})
        return tf.nest.map_structure(lambda leaf: leaf[::count], condition)
