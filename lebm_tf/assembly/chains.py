"""Configuration of chains."""

import dataclasses
from typing import Annotated, Any

from lebm_tf.densities import Base, Fitted
from lebm_tf.mcmc import Hmc, Independence, Kernel, Langevin, Mala, Nuts
from lebm_tf.ranges import (
    Checked, Interval, Mark, NonNegativeFloat, NonNegativeInt, OneOf,
    PositiveFloat, PositiveInt)
from lebm_tf.samplers import NormalLike, ShortRun, compilation

KERNELS = ("langevin", "mala", "hmc", "nuts", "independence")
STARTS = ("base", "bank", "encoder")
BANK_ORDERS = ("own", "oldest")


@dataclasses.dataclass(frozen=True)
class ChainConfig(Checked):
    """Chains of one role.

    Attributes:
        num_steps: Steps per chain.
        step_size: Step size s in units of z: z + s^2/2 grad log p + s noise.
        noise_scale: Factor on the noise of the langevin kernel.
        kernel: langevin (as published), mala, hmc, nuts or independence; the
            last four are exact. independence, for priors alone, proposes draws
            of the base or of a flow, without gradients or a step size: few
            moves suffice where the energy corrects a base that is fitted to
            codes.
        num_leapfrog_steps: Leapfrog steps per HMC step.
        num_adaptation_steps: Initial steps of every mala, hmc or nuts chain
            that tune its step size; must be less than num_steps.
        start: Initial states: base (short run), bank (persistent) or encoder
            (warm start).
        restart_prob: Probability that a chain of the bank restarts.
        bank_order: Chains of the bank that the end states replace: own (those
            that they started from) or oldest (a first-in-first-out memory that
            is filled first, as in the public code of LB-EBM).
        start_scale: Standard deviation of the initial states of start=base and
            of a bank, N(0, s^2 I) (e_init_sig in the authors' programs); 0
            samples them from the base.
        jit_compile: Whether XLA compiles the chain: on, off or auto. auto
            compiles on a GPU, and on a CPU for networks without convolutions;
            with a small convolutional generator, on may be faster as well, see
            configs/quickstart.cfg.
    """
    num_steps: NonNegativeInt = 60
    step_size: PositiveFloat = 0.4
    noise_scale: NonNegativeFloat = 1.0
    kernel: Annotated[str, OneOf(KERNELS)] = "langevin"
    num_leapfrog_steps: PositiveInt = 3
    num_adaptation_steps: NonNegativeInt = 0
    start: Annotated[str, OneOf(STARTS)] = "base"
    restart_prob: Annotated[float, Interval(ge=0, le=1)] = 0.0
    bank_order: Annotated[str, OneOf(BANK_ORDERS)] = "own"
    start_scale: NonNegativeFloat = 0.0
    jit_compile: Annotated[str, OneOf(compilation.SETTINGS),
                           Mark.MAY_CHANGE] = "auto"

    def validate(self):
        if self.kernel != "langevin" and self.noise_scale != 1.0:
            raise ValueError("noise_scale must be 1 for an exact kernel, got "
                             f"{self.noise_scale} for {self.kernel}.")
        if self.start != "bank":
            self.leave_out("restart_prob", "bank_order",
                           reason="without start=bank")
        if self.start == "encoder":
            self.leave_out("start_scale", reason="with start=encoder")
        if self.kernel != "hmc":
            self.leave_out("num_leapfrog_steps", reason="without kernel=hmc")
        if self.kernel == "langevin":
            self.leave_out("num_adaptation_steps",
                           reason="with kernel=langevin, which has no "
                                  "adaptation")
        if self.kernel == "independence":
            self.leave_out("num_adaptation_steps", "start_scale",
                           reason="with kernel=independence")
        if not self.num_adaptation_steps < max(1, self.num_steps):
            raise ValueError(
                "num_adaptation_steps must lie in [0, num_steps), got "
                f"{self.num_adaptation_steps} of {self.num_steps}.")

    def first_states(self, base: Any) -> Any:
        """Density of initial states, given the base."""
        return NormalLike(base, self.start_scale) if self.start_scale else base

    def make_kernel(self, step_sizes: tuple[float, ...] = ()) -> Kernel:
        """Returns the kernel; `step_sizes` gives a step size for each layer of
        latents."""
        step_size = step_sizes or self.step_size
        if self.kernel == "langevin":
            return Langevin(step_size, self.noise_scale)
        adapt = {"num_adaptation_steps": self.num_adaptation_steps}
        if self.kernel == "hmc":
            return Hmc(step_size, self.num_leapfrog_steps, **adapt)
        return {"mala": Mala, "nuts": Nuts}[self.kernel](step_size, **adapt)


def sampler(chain: ChainConfig, start, num_steps: int = 0,
            base: Base | None = None, step_sizes: tuple[float, ...] = (),
            proposal: Base | None = None) -> ShortRun:
    """Returns the sampler of a chain configuration.

    Args:
        chain: The chain configuration.
        start: Initializer of the chains.
        num_steps: Replaces the length of the chains, if not 0.
        base: The base of the target; chains move in the coordinates of a fitted
            one.
        step_sizes: Step size of each layer of latents.
        proposal: Density of the proposals of kernel=independence; default: the
            base.

    Raises:
        ValueError: If there is no density to propose from.
    """
    steps = num_steps or chain.num_steps
    if chain.kernel == "independence":
        if proposal is None and base is None:
            raise ValueError(
                "kernel=independence needs chains of a prior with a base to "
                "propose from; use langevin, mala, hmc or nuts.")
        return ShortRun(start, Independence(proposal or base), steps,
                        chain.jit_compile)
    return ShortRun(
        start, chain.make_kernel(step_sizes), steps, chain.jit_compile,
        coordinates=base if isinstance(base, Fitted) else None)
