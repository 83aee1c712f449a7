"""The energy-based model and its only training step: draw, losses, updates."""

import contextlib
from typing import Any, Mapping

import keras
import tensorflow as tf

from lebm_tf import precision
from lebm_tf.mcmc import rng
from lebm_tf.models import (
    checks, naming, optimization, replication, statistics, turns as turning)
from lebm_tf.models.attributes import AttributeInference
from lebm_tf.models.copies import MovingCopy
from lebm_tf.models.domains import DomainInference
from lebm_tf.models.roles import ANSWERS, Role, resolved
from lebm_tf.models.turns import Turn
from lebm_tf.objectives.objective import Objective
from lebm_tf.samplers import Draw, Draws, Sampler


class EnergyModel(AttributeInference, DomainInference, keras.Model):
    """p(x, z) = p(z) p(x | z), trained by maximum likelihood.

    A step first draws the states of every role with the current parameters,
    among them "positive" states that fit the data and "negative" states of the
    model. Then every objective updates its parts. Families choose the
    components; none overrides `train_step`.

    All randomness is a function of (seed, step, stream). A run is therefore
    reproducible, and `step` is the only state to save besides variables.

    Args:
        parts: Name -> layer or tuple of layers that one optimizer trains.
        objectives: Name -> `Objective`.
        roles: Name -> `Role`, or a sampler if its target is in `roles.TARGETS`.
            Roles are drawn in this order, so a role may use the states of
            earlier ones. "generation" and "inference" are not drawn in
            training: they implement `sample` and `infer`, and default to
            "negative" and "positive".
        prior: Density p(z), a `densities.Prior`; None if every role has its
            own.
        likelihood: Density p(x | z), a `densities.Likelihood`; None if states
            are observations.
        encoder: Density q(z | x), if any.
        context: Layer that maps batch["given"] (such as the pasts of
            interacting agents) to the condition of all densities, one row per
            row of the batch. It is trained by every term that does not stop its
            gradient. Without it, the condition is batch["condition"], if any.
        attribute: Density p(y | z) of a number y, if any; batches with an
            "attribute" then also condition the posterior on it.
        updates: Part -> number of updates per step, if not 1. States drawn on
            the tape are redrawn for each update; others are kept.
        turns: Groups of parts, or `Turn` objects, that a step updates one after
            the other, with losses of the weights that earlier turns left. By
            default all parts are updated together.
        joint_clip_norm: Maximum norm of the gradients of all parts of a turn
            except energies, taken together; 0 for none.
        copies: Name -> `MovingCopy`, updated after every step.
        banks: Chain banks to save in checkpoints.
        frozen: Name -> layer that is saved in checkpoints but not trained.
        bases: `densities.Fitted`, fitted to codes every `fit_bases_every`
            steps; if that is 0, once before the first step.
        fitted: Densities with `fit(codes, seed, step)`, such as
            `densities.GaussianMixture`, fitted when training is over.
        seed: Seed of the run, any int.

    Raises:
        ValueError: If parts and objectives do not match, or a role needs a
            target and has none.
    """

    train_function: Any  # Of `keras.Model`.

    def __init__(self, *, parts: Mapping[str, Any],
                 objectives: Mapping[str, Objective],
                 roles: Mapping[str, Role | Sampler],
                 prior: keras.Model | None = None,
                 likelihood: keras.Model | None = None,
                 encoder: keras.Model | None = None,
                 context: keras.layers.Layer | None = None,
                 attribute: keras.Model | None = None,
                 updates: Mapping[str, int] | None = None, turns=(),
                 joint_clip_norm: float = 0.0,
                 copies: Mapping[str, MovingCopy] | None = None,
                 frozen: Mapping[str, Any] | None = None, bases=(),
                 fit_bases_every: int = 0, banks=(), fitted=(),
                 seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.prior, self.likelihood, self.encoder = prior, likelihood, encoder
        self.attribute, self.context = attribute, context
        self.parts = {name: part if isinstance(part, (tuple, list)) else
                      (part,) for name, part in parts.items()}
        self.objectives = dict(objectives)
        self.updates, self.copies = dict(updates or {}), dict(copies or {})
        checks.objectives_fit(self.parts, self.objectives)
        checks.updates_fit(self.parts, self.updates)
        self.turns = turning.resolved(
            turns, self.parts, self.objectives, self.updates)
        self.joint_clip_norm = joint_clip_norm
        self.roles = resolved(roles, likelihood is not None)
        self.banks, self.fitted, self.seed = list(banks), list(fitted), seed
        self.frozen, self.bases = dict(frozen or {}), list(bases)
        self.fit_bases_every = fit_bases_every
        # A separate counter: optimizers do not advance on skipped steps.
        self.step = replication.Counter(name="step")
        # Saved outside the checkpoints by `fit`: it must survive a rollback.
        self.rollbacks = replication.Counter(name="rollbacks")
        self.recipe = None  # Set by `families.build`.
        self.rows: list[dict[str, Any]] = []  # The history, kept by `fit`.
        self.built = True
        naming.number_layers(self)

    @property
    def samplers(self) -> dict[str, Sampler]:
        """Role -> sampler."""
        return {name: role.sampler for name, role in self.roles.items()}

    def variables_of(self, part: str) -> list:
        """The trainable variables of a part; shared ones are listed once."""
        return list({id(variable): variable for layer in self.parts[part]
                     for variable in layer.trainable_variables}.values())

    def compile(self, optimizers: Mapping[str, keras.optimizers.Optimizer],
                **kwargs):
        """Sets the optimizer of every part and builds it.

        If the networks compute in float16, each optimizer is wrapped in a
        `LossScaleOptimizer`.

        Args:
            optimizers: Part -> optimizer, for exactly the parts.
            **kwargs: Arguments of `keras.Model.compile`.

        Raises:
            ValueError: If the names differ from those of the parts.
        """
        if set(optimizers) != set(self.parts):
            raise ValueError(
                "optimizers must be given for the parts "
                f"{', '.join(self.parts)}, got "
                f"{', '.join(optimizers) or 'none'}.")
        self.optimizers = {
            part: optimization.with_loss_scale(optimizer)
            if self.compute_dtype == "float16" else optimizer
            for part, optimizer in optimizers.items()}
        super().compile(optimizer=next(iter(self.optimizers.values())),
                        jit_compile=False, auto_scale_loss=False, **kwargs)
        for part, optimizer in self.optimizers.items():
            optimizer.name = f"optimizer_{part}"  # See `naming`.
            optimization.expect_totals(optimizer)
            optimizer.build(self.variables_of(part))
        optimization.slow_down(self.optimizers, self.rollbacks)

    def make_train_function(self, force: bool = False):
        """Compiles `train_step` once, for all replicas."""
        if self.train_function is None or force:
            self.train_function = replication.train_function(
                self.train_step, self.distribute_strategy,
                self.steps_per_execution)

    def set_loss_scale(self, loss_scale: float) -> None:
        """Sets the loss scale > 0 of float16 optimizers."""
        for optimizer in self.optimizers.values():
            if optimization.has_loss_scale(optimizer):
                optimizer.dynamic_scale.assign(loss_scale)

    def _symbolic_build(self, *args, **kwargs):
        """Does nothing: all layers are built before `fit`."""

    _maybe_symbolic_build = _symbolic_build

    def conditioned(self, batch: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the batch with the condition that densities take."""
        if self.context is None:
            return batch
        return {**batch, "condition": self.context(batch["given"])}

    def draw(self, batch: Mapping[str, Any], seed: rng.Seed,
             tape: tf.GradientTape | None = None) -> Draws:
        """Draws the states of all roles of training, one after the other.

        Args:
            batch: The data.
            seed: Seed of the step.
            tape: Records reparameterized samples, and nothing else.
        """
        return self._draw_roles(Draws(self.conditioned(batch), {}, seed), tape)

    def _draw_roles(self, draws, tape):
        """Draws the states of the roles that `draws` lacks."""
        for name, role in self.roles.items():
            if name in ANSWERS or name in draws.states:
                continue
            batch = draws.batch if role.view is None else role.view(
                draws.batch)
            if batch is None:
                continue
            recorded = tape is None or role.sampler.is_reparameterized
            with contextlib.nullcontext() if recorded else (
                    tape.stop_recording()):
                drawn = self._draw(name, role, draws._replace(batch=batch))
            draws = draws.with_states(**{name: drawn})
        return draws

    def _draw(self, name, role, draws) -> Draw:
        target = role.target(self, draws) if role.sampler.climbs else None
        with self.kernels_cast_once(role):
            return role.sampler.draw(
                target, draws.num_rows, draws, rng.stream(draws.seed, name))

    def kernels_cast_once(self, role: Role):
        """Context in which the networks of a role's chains are cast once."""
        densities = (role.prior or self.prior, self.likelihood)
        return precision.kernels_cast_once(*(
            density for density in densities if density is not None))

    def train_step(self, batch: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """Updates every part once; returns the values to log."""
        checks.check_batch(batch)
        run = rng.retry(rng.make_seed(self.seed), self.rollbacks)
        seed = rng.fold_in(run, self.step)
        with tf.GradientTape(persistent=True) as tape:
            draws = self.draw(batch, seed, tape) if (
                self.turns[0].needs_states) else Draws(
                    self.conditioned(batch), {}, seed)
            losses = self._values_of(draws, self.turns[0])
        logs = statistics.of_roles(self, draws)
        logs.update(self._update(tape, losses, self.turns[0].parts))
        latest = draws
        for i, turn in enumerate(self.turns[1:], 1):
            latest, tape, more = self._look_again(
                latest if turn.keeps_states else draws, turn, "turn", i)
            if i == 1 and not self.turns[0].needs_states:
                logs.update(statistics.of_roles(self, latest))
            losses |= more
            logs.update(self._update(tape, more, turn.parts))
        for again in range(1, max(self.updates.values(), default=1)):
            parts = tuple(part for part, count in self.updates.items()
                          if count > again)
            _, tape, more = self._look_again(draws, Turn(parts), "again", again)
            self._update(tape, more, parts)
        for _, terms in losses.values():
            logs.update({f"loss/{name}": value
                         for name, value in terms.items()})
        self.step.assign_add(1)
        replication.renew(
            layer for part in self.parts.values() for layer in part)
        for copy in self.copies.values():
            copy.follow(self.step)
        return logs

    def _values_of(self, draws, turn):
        """Losses of a turn."""
        return {name: objective(self, draws)
                for name, objective in self.objectives.items()
                if name in (turn.objectives or self.objectives)
                and set(turn.parts) & set(objective.parts)}

    def _look_again(self, draws, turn, name, k):
        """Redraws states where `drawn_again`; returns all draws, and a tape
        with the losses of a turn."""
        kept = {name: draw for name, draw in draws.states.items()
                if turn.keeps_states or not self.roles[name].drawn_again}
        draws = draws._replace(
            states=kept, seed=rng.fold_in(rng.stream(draws.seed, name), k))
        with tf.GradientTape(persistent=True) as tape:
            draws = self._draw_roles(draws, tape)
            losses = self._values_of(draws, turn)
        return draws, tape, losses

    def _update(self, tape, losses, parts):
        """Updates parts by their losses; returns the values to log."""
        gradients, logs = turning.gradients(self, tape, losses, parts), {}
        for part in parts:
            logs.update({f"{name}/{part}": value for name, value in
                         optimization.apply(
                             self.optimizers[part], gradients[part],
                             self.variables_of(part)).items()})
        return logs
