"""States of a role with added noise, through which gradients flow."""

import dataclasses
from typing import Sequence

import tensorflow as tf

from lebm_tf.densities.neighbours import neighbours
from lebm_tf.densities.noise_levels import NoiseLevels
from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position, initial_state
from lebm_tf.samplers.draws import Draw
from lebm_tf.samplers.sampler import Sampler

PAIRS = 2  # States per row.


@dataclasses.dataclass(frozen=True)
class Noised(Sampler):
    """States of a role with added noise.

    Attributes:
        levels: Noise levels.
        role: Role of the states, which is drawn before.
    """
    levels: NoiseLevels
    role: str = "positive"
    is_reparameterized = True
    climbs = False

    def start(self, num_chains, draws, seed) -> Position:
        return self.draw(None, num_chains, draws, seed).start


@dataclasses.dataclass(frozen=True)
class Diffused(Noised):
    """Two noised states per row: one at a random level below the highest, t ~
    U{0 .. T - 2}, and one at the highest, T - 1.

    A state is b_{t+1} z_t, the argument of the energy at level t. Its start is
    z_{t+1}, where the chain of its row starts, and its condition is {"level":
    t}. Rows 2 i and 2 i + 1 belong to row i of the role. Yu et al. 2022,
    arXiv:2206.05895, `q_sample_pairs` of modules/ldebm.py.
    """

    def draw(self, target, num_chains, draws, seed, num_steps=None):
        """As `Sampler.draw`; ignores the target."""
        z = draws.states[self.role].position
        below = self.levels.num_levels - 1
        uniform = rng.uniform(tf.shape(z)[:1], rng.stream(seed, "level"))
        lower = tf.minimum(tf.cast(below * uniform, tf.int32), below - 1)
        pairs = [
            neighbours(self.levels, z, level, *(rng.normal_like(
                z, rng.stream(seed, f"{name} {number}"))
                for number in range(2)))
            for name, level in (("lower", lower),
                                ("highest", tf.fill(tf.shape(lower), below)))]
        level = in_turn([lower, tf.fill(tf.shape(lower), below)])
        states, above = (in_turn(parts) for parts in zip(*pairs))
        above = tf.stop_gradient(above)
        state = initial_state(tf.stop_gradient(states))._replace(
            position=states)
        return Draw(above, state, condition={"level": level})


@dataclasses.dataclass(frozen=True)
class LowestNoise(Noised):
    """z_0 = a_0 z + s_0 e of the states z of a role."""

    def draw(self, target, num_chains, draws, seed, num_steps=None):
        """As `Sampler.draw`; ignores the target."""
        z = draws.states[self.role].position
        position = self.noised(z, rng.normal_like(z, seed))
        start = tf.stop_gradient(position)
        return Draw(start, initial_state(start)._replace(position=position))

    def noised(self, z: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """z_0 from z and standard normal noise of the same shape."""
        return self.levels.factors[0] * z + self.levels.scales[0] * noise


def in_turn(parts: Sequence[tf.Tensor]) -> tf.Tensor:
    """Interleaves the rows of two [rows, ...] as [2 rows, ...], so that several
    replicas draw the same noise as one."""
    return tf.reshape(tf.stack(parts, 1), [-1, *parts[0].shape[1:]])
