"""A diffusion model of latent vectors, conditional on an observation or not."""

import math

import keras
import numpy as np
import tensorflow as tf

from lebm_tf.densities.contracts import Encoder
from lebm_tf.densities.nested import Nested
from lebm_tf.mcmc import rng

VARIANCES = ("large", "small")


@keras.saving.register_keras_serializable(package="lebm_tf")
class DiffusionEncoder(Nested, Encoder, keras.Model):
    """q(z | x) by denoising: N(0, I) is transformed into z step by step.

    z_u = cos(a) z + sin(a) e at time u in [0, 1], where the angle a is linear
    in u, so log(cos^2 / sin^2) is -2 log tan(a). A network predicts e from z_u,
    u and a context of x. Without x the context is made from noise, and samples
    are those of q averaged over all x. Yu et al. 2023, arXiv:2310.03218;
    diffusion_net.py of its public code.

    Args:
        network: Layer (z, time, context) -> noise, with a `latent_dim`;
            `networks.LatentDenoiser`.
        encoder: Layer x -> context [batch, context_dim].
        noise_context: Layer noise [batch, latent_dim] -> context.
        num_steps: Reverse steps per sample, each one network evaluation, at
            least 1.
        log_ratio_min, log_ratio_max: log(cos^2 / sin^2) at u = 1 and u = 0.
        variance: Variance of the noise of a reverse step: large (that of p(z_s
            | z_u)) or small (the remainder when z is known).
        guidance: Weight w >= 0 of classifier-free guidance, (1 + w) e(x) - w
            e().

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, network: keras.layers.Layer,
                 encoder: keras.layers.Layer,
                 noise_context: keras.layers.Layer, num_steps: int = 100,
                 log_ratio_min: float = -5.1, log_ratio_max: float = 9.8,
                 variance: str = "large", guidance: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        if num_steps < 1:
            raise ValueError(f"num_steps must be >= 1, got {num_steps}.")
        if not log_ratio_min < log_ratio_max:
            raise ValueError("log_ratio_min must be < log_ratio_max, got "
                             f"{log_ratio_min} and {log_ratio_max}.")
        if variance not in VARIANCES:
            raise ValueError(f"variance must be one of {', '.join(VARIANCES)},"
                             f" got {variance!r}.")
        if not guidance >= 0:
            raise ValueError(f"guidance must be >= 0, got {guidance}.")
        self.network, self.context_encoder = network, encoder
        self.noise_context = noise_context
        self.latent_dim, self.num_steps = network.latent_dim, num_steps
        self.log_ratio_min, self.log_ratio_max = log_ratio_min, log_ratio_max
        self.variance, self.guidance = variance, guidance
        self.built = True

    def with_steps(self, num_steps: int) -> "DiffusionEncoder":
        """Returns an encoder with the same layers and another number of reverse
        steps."""
        return DiffusionEncoder(
            self.network, self.context_encoder, self.noise_context, num_steps,
            self.log_ratio_min, self.log_ratio_max, self.variance,
            self.guidance)

    def angle(self, u):
        """The angle at times u in [0, 1], a number or tensor."""
        first, last = (math.atan(math.exp(-0.5 * ratio)) for ratio in (
            self.log_ratio_max, self.log_ratio_min))
        return first + (last - first) * u

    def parameters(self, x: tf.Tensor, *, condition=None, seed=None
                   ) -> tuple[tf.Tensor]:
        """(context,), [batch, context_dim]."""
        return (self.context_encoder(x),)

    def random_context(self, num_rows, seed: rng.Seed) -> tf.Tensor:
        """The context without x, [num_rows, context_dim]."""
        return self.noise_context(rng.normal(
            [num_rows, self.latent_dim], seed, self.variable_dtype))

    def sample_from(self, context: tf.Tensor, seed: rng.Seed) -> tf.Tensor:
        """A sample for each context, [batch, latent_dim]. Do not differentiate
        it: the tape would store every step."""
        rows = context.shape[0] or tf.shape(context)[0]
        z = rng.normal([rows, self.latent_dim], rng.stream(seed, "start"),
                       self.variable_dtype)
        moves = rng.stream(seed, "reverse")

        def body(k, z):
            i = self.num_steps - 1 - k
            own = rng.fold_in(moves, i)
            noise = rng.normal_like(z, rng.stream(own, "noise"))
            other = self._other_context(rows, rng.stream(own, "context"))
            return k + 1, self.reverse_step(i, z, context, noise, other)
        _, z = tf.while_loop(
            lambda k, _: k < self.num_steps - 1, body, (tf.constant(0), z),
            maximum_iterations=self.num_steps - 1)
        own = rng.fold_in(moves, 0)
        return self.denoised(0, z, context, self._other_context(
            rows, rng.stream(own, "context")))

    def _other_context(self, rows, seed):
        return self.random_context(rows, seed) if self.guidance else None

    def denoised(self, i, z: tf.Tensor, context: tf.Tensor, other=None
                 ) -> tf.Tensor:
        """Prediction of z at time 0 from z at reverse step i, which counts down
        to 0.

        Args:
            i: int or int32 [].
            z: float [batch, latent_dim].
            context: float [batch, context_dim].
            other: Context without x, for guidance.
        """
        angles = self.angles()
        noise = self.predicted_noise(z, tf.fill(
            [tf.shape(z)[0]], _entry(angles, i, z.dtype)), context, other)
        return (z - _entry(np.sin(angles), i, z.dtype) * noise) / _entry(
            np.cos(angles), i, z.dtype)

    def reverse_step(self, i, z: tf.Tensor, context: tf.Tensor,
                     noise: tf.Tensor, other=None) -> tf.Tensor:
        """One reverse step, from step i >= 1 to i - 1; arguments as in
        `denoised`, with `noise` from N(0, I), like z."""
        kept, pull, scale = (
            _entry(np.concatenate([[0.0], numbers]), i, z.dtype)
            for numbers in self.coefficients())
        return (kept * z + pull * self.denoised(i, z, context, other)
                + scale * noise)

    def predicted_noise(self, z, angle, context, other=None):
        """Predicted noise of z at angles [batch]; guided if `other` is given.
        """
        time = angle / (0.5 * math.pi)
        noise = self.network(z, time, context)
        if other is None:
            return noise
        return ((1.0 + self.guidance) * noise
                - self.guidance * self.network(z, time, other))

    def angles(self) -> np.ndarray:
        """Angles of all reverse steps, from time 0 up, float64 [num_steps]."""
        if self.num_steps == 1:  # From N(0, I) to z at once.
            return np.array([self.angle(1.0)])
        return self.angle(np.arange(self.num_steps) / (self.num_steps - 1))

    def coefficients(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Factors on z, on its prediction and on the noise, for steps 1 ..
        num_steps - 1, each float64 [num_steps - 1]."""
        angles = self.angles()
        after, before = angles[:-1], angles[1:]  # s and t.
        ratio = np.square(np.tan(after) / np.tan(before))
        scale = np.sqrt(1.0 - ratio) * np.sin(
            before if self.variance == "large" else after)
        return (ratio * np.cos(after) / np.cos(before),
                (1.0 - ratio) * np.cos(after), scale)

    def denoising_error(self, z: tf.Tensor, context: tf.Tensor, u: tf.Tensor,
                        noise: tf.Tensor) -> tf.Tensor:
        """|e - e^(z_u)|^2 / 2, float [batch].

        Args:
            z: float [batch, latent_dim].
            context: float [batch, context_dim].
            u: Times, uniform on [0, 1), float [batch].
            noise: The noise e, like z.
        """
        angle = self.angle(u)
        noised = (tf.cos(angle)[:, None] * z + tf.sin(angle)[:, None] * noise)
        return 0.5 * tf.reduce_sum(tf.square(
            noise - self.predicted_noise(noised, angle, context)), -1)

    def call(self, x):
        return self.context_encoder(x)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {**super().get_config(), "network": serialize(self.network),
                "encoder": serialize(self.context_encoder),
                "noise_context": serialize(self.noise_context),
                "num_steps": self.num_steps, "variance": self.variance,
                "log_ratio_min": self.log_ratio_min,
                "log_ratio_max": self.log_ratio_max,
                "guidance": self.guidance}


class Unconditional:
    """Samples of a `DiffusionEncoder` without x, with the interface of a base.

    Args:
        encoder: The diffusion model.
    """

    def __init__(self, encoder: DiffusionEncoder):
        self.encoder = encoder

    def sample(self, num_samples, seed: rng.Seed) -> tf.Tensor:
        """Samples z, float [num_samples, latent_dim]."""
        return self.encoder.sample_from(self.encoder.random_context(
            num_samples, rng.stream(seed, "context")), seed)


def _entry(values, i, dtype):
    """Entry i of float64 numbers, [], in the given type."""
    return tf.constant(values, dtype)[i]
