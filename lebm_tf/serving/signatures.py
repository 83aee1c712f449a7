"""What a served model answers: pure functions of their inputs.

Every row carries its own seed, so its answer does not depend on the batch
that a server happened to put it in.
"""

import tensorflow as tf

from lebm_tf.densities.targets import prior_target
from lebm_tf.errors import InputError
from lebm_tf.mcmc import Langevin, rng
from lebm_tf.models import EnergyModel


class Servable(tf.Module):
    """A model with its signatures, to be saved.

    Args:
        model: A trained model.
        shape: Shape of one observation.

    Raises:
        InputError: If a chain uses a kernel that can't take a seed a row.
    """

    def __init__(self, model: EnergyModel, shape: tuple[int, ...]):
        super().__init__(name="servable")
        for sampler in (model.generation, model.inference):
            kernel = getattr(sampler, "kernel", None)
            if kernel is not None and not isinstance(kernel, Langevin):
                raise InputError(
                    "export needs chains of the kernel langevin, got "
                    f"{type(kernel).__name__.lower()}.")
        self.model = model
        self.parts = [*model.fitted, *(
            layer for layers in model.parts.values()
            for layer in layers)]  # Their variables are saved.
        start = model.generation.initializer.start(1, {}, rng.make_seed(0))
        self.latents = [tf.TensorSpec([None, *leaf.shape[1:]], leaf.dtype)
                        for leaf in tf.nest.flatten(start)]
        self.structure = tf.nest.map_structure(lambda _: 0, start)
        self.shape = tuple(shape)

    def signatures(self) -> dict:
        """Name -> concrete function. "serving_default" is "sample"."""
        seed = tf.TensorSpec([None], tf.int64, "seed")
        x = tf.TensorSpec([None, *self.shape], tf.float32, "x")
        z = {name: tf.TensorSpec(spec.shape, spec.dtype, name)
             for name, spec in zip(self._names(), self.latents)}
        made = {
            "sample": self._function(self.sample, {"seed": seed}),
            "infer": self._function(self.infer, {"x": x, "seed": seed}),
            "reconstruct": self._function(
                self.reconstruct, {"x": x, "seed": seed}),
            "score": self._function(self.score, {"x": x, "seed": seed}),
            "decode": self._function(self.decode, z),
            "energy": self._function(self.energy, z)}
        return {**made, "serving_default": made["sample"]}

    def sample(self, seed):
        """Prior draws: x, z and energy, one a seed."""
        seeds = rng.stream(rng.make_seed(seed), "sample")
        z = self.model.generation.draw(
            self.model.negative_target({}), tf.shape(seed)[0], {},
            seeds).position
        return {"x": self.model.likelihood.mean(z), **self._named(z),
                "energy": self.model.energy(z)}

    def infer(self, x, seed):
        """Posterior draws z, one an observation."""
        return self._named(self._posterior(x, seed))

    def reconstruct(self, x, seed):
        """g(z) at a posterior draw."""
        return {"x": self.model.likelihood.mean(self._posterior(x, seed))}

    def score(self, x, seed):
        """log p(x, z) + log Z at a posterior draw, and its parts, in nats."""
        z = self._posterior(x, seed)
        log_likelihood = self.model.likelihood.log_prob(x, z)
        log_prior = prior_target(self.model.prior)(z)
        return {"log_joint": log_likelihood + log_prior,
                "log_likelihood": log_likelihood,
                "energy": self.model.energy(z)}

    def decode(self, **z):
        """g(z)."""
        return {"x": self.model.likelihood.mean(self._nest(z))}

    def energy(self, **z):
        """E(z), in nats."""
        return {"energy": self.model.energy(self._nest(z))}

    def _posterior(self, x, seed):
        seeds = rng.stream(rng.make_seed(seed), "infer")
        batch = {"x": x}
        return self.model.inference.draw(
            self.model.positive_target(batch), tf.shape(x)[0], batch,
            seeds).position

    def _function(self, function, specs):
        # AutoGraph has nothing to convert here.
        return tf.function(function, autograph=False).get_concrete_function(
            **specs)

    def _names(self):
        return (["z"] if len(self.latents) == 1 else
                [f"z{i + 1}" for i in range(len(self.latents))])

    def _named(self, z):
        return dict(zip(self._names(), tf.nest.flatten(z)))

    def _nest(self, named):
        return tf.nest.pack_sequence_as(
            self.structure, [named[name] for name in self._names()])
