"""Chains of a fixed length."""

import dataclasses
from typing import Any, Callable

import tensorflow as tf

from lebm_tf.densities.targets import Target
from lebm_tf.mcmc import Mala, rng
from lebm_tf.mcmc.chain import run_chain, trace_chain
from lebm_tf.mcmc.kernel import Kernel, StepSize
from lebm_tf.samplers import compilation
from lebm_tf.samplers.alone import run_chains_alone
from lebm_tf.samplers.draws import Draw, Draws
from lebm_tf.samplers.initializer import FromRole, Initializer
from lebm_tf.samplers.sampler import Sampler


@dataclasses.dataclass(frozen=True)
class ShortRun(Sampler):
    """A fixed number K of moves from an initializer: it samples p_K, not p.

    Nijkamp et al. 2019, arXiv:1904.09770. A model trained with a short run must
    be sampled with the same one.

    Attributes:
        initializer: Initializer of the chains.
        kernel: The kernel.
        num_steps: Number of moves, at least 0.
        jit_compile: Whether XLA compiles the chains: on, off or auto, see
            `compilation`. Compiled chains draw other noise for the same seed.
        step_size: Draws -> step size, for example [chains]; replaces that of
            the kernel.
        coordinates: Coordinates of the chains: a `densities.fitted.Fitted`
            base, in whose u = `white(z)` one step size fits all directions.
            Start and result are in z.
        adaptation: A `StepSizeAdaptation`, which gives the step size and is
            updated in training.
        is_reparameterized: Whether gradients flow through all moves, to the
            start and the target. Memory then grows with their number.

    Raises:
        ValueError: If `num_steps` is negative, or `jit_compile` is unknown.
    """
    initializer: Initializer
    kernel: Kernel
    num_steps: int
    jit_compile: str = "off"
    step_size: Callable[[Draws], StepSize] | None = None
    coordinates: Any = None
    adaptation: Any = None
    is_reparameterized: bool = False
    has_own_steps = True

    def __post_init__(self):
        if self.num_steps < 0:
            raise ValueError(f"num_steps must be >= 0, got {self.num_steps}.")
        compilation.setting(self.jit_compile)

    @property
    def layers(self) -> tuple:
        return () if self.adaptation is None else (self.adaptation,)

    def start(self, num_chains, draws, seed):
        return self.initializer.start(num_chains, draws, seed)

    def draw(self, target, num_chains, draws, seed, num_steps=None):
        """As `Sampler.draw`. A seed per row needs num_steps times the memory of
        a position or, with a kernel that takes no noise, runs every chain
        separately."""
        first, moves = rng.stream(seed, "start"), rng.stream(seed, "chain")
        start = self.start(num_chains, draws, first)
        target, position = self._moved(target, start)
        steps = self.num_steps if num_steps is None else num_steps
        step_size = self._own_size() if self.step_size is None else (
            self.step_size(draws))
        run = compilation.run_chain if seed.shape.rank == 1 and (
            compilation.wanted(compilation.setting(self.jit_compile), target,
                               position, self.num_steps)) else run_chain
        noise_free = not self.kernel.takes_noise or (
            getattr(self.kernel, "noise_scale", None) == 0)
        if seed.shape.rank == 1 or (self.kernel.is_rowwise and noise_free):
            state = run(self.kernel, target, position, steps, moves,
                        step_size=step_size)
        elif self.kernel.takes_noise:
            noise = rng.normal_steps(position, moves, self.num_steps if (
                num_steps is None) else tf.reduce_max(num_steps))
            state = run_chain(self.kernel, target, position, steps, moves,
                              noise, step_size)
        else:
            state = run_chains_alone(self.kernel, target, position, steps,
                                     moves, step_size)
        state = self._back(state)
        self.initializer.update(draws, state.position, first)
        if self.adaptation is not None and draws.seed is not None:
            self.adaptation.update(state.accept_prob)
        return Draw(start, state, condition=target.condition if isinstance(
            target, Target) else None)

    def trace(self, target, start, seed, trace_fn, *, num_steps=None,
              every=1):
        moved, position = self._moved(target, start)
        return trace_chain(
            self.kernel, moved, position, self.num_steps if num_steps is None
            else num_steps, seed, lambda state: trace_fn(
                self._back(state), target), every, self._own_size())[1]

    def _own_size(self):
        return None if self.adaptation is None else self.adaptation.value

    def _moved(self, target, start):
        """Target and start in the coordinates of the chains."""
        if self.coordinates is None:
            return target, start

        def log_prob(u, rows):
            z, growth = self.coordinates.from_white(u)
            return target.log_prob(z, rows) + growth
        return (dataclasses.replace(target, log_prob=log_prob, parts=()),
                self.coordinates.white(start))

    def _back(self, state):
        if self.coordinates is None:
            return state
        return state._replace(
            position=self.coordinates.from_white(state.position)[0])

    def with_steps(self, num_steps):
        return dataclasses.replace(self, num_steps=num_steps)

    def continued(self, role):
        return dataclasses.replace(self, initializer=FromRole(role))

    def lowest(self, num_layers):
        sizes = self.kernel.step_size
        if not tf.nest.is_nested(sizes):
            return self
        return dataclasses.replace(self, kernel=dataclasses.replace(
            self.kernel, step_size=tuple(sizes)[:num_layers]))

    def calibrated(self, num_adaptation_steps):
        """Metropolis-adjusted Langevin moves with the same step size; an exact
        kernel without a step size stays."""
        if self.kernel.is_calibrated and self.kernel.step_size is None:
            return self
        size = 1.0 if self.kernel.step_size is None else self.kernel.step_size
        return dataclasses.replace(self, adaptation=None, kernel=Mala(
            size, num_adaptation_steps=num_adaptation_steps))
