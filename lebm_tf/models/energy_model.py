"""The one model that is trained: draw, then losses, then update."""

import contextlib
from typing import Any, Mapping

import keras
import tensorflow as tf

from lebm_tf import precision
from lebm_tf.mcmc import replicas, rng
from lebm_tf.models import checks, naming, optimization, replication, statistics
from lebm_tf.models.copies import MovingCopy
from lebm_tf.models.inference import LatentInference
from lebm_tf.models.roles import ANSWERS, Role, resolved
from lebm_tf.objectives.objective import Objective
from lebm_tf.samplers import Draw, Draws, Sampler


class EnergyModel(LatentInference, keras.Model):
    """p(x, z) = p(z) p(x | z), learned by maximum likelihood.

    One step draws the states of every role with the parameters as they are,
    "positive" ones that fit the data and "negative" ones of the model among
    them, then every objective updates its parts. Families choose the pieces;
    none overrides `train_step`.

    All randomness is a function of (seed, step, stream), so a run repeats
    exactly, and the only thing to save besides variables is `step`.

    Args:
        parts: Name -> layer or tuple of layers that an optimizer trains.
        objectives: Name -> `Objective`.
        roles: Name -> `Role`, or a sampler where the role's target is that of
            `roles.TARGETS`. They are drawn in this order, so that a role may
            look at the states of those before it. "generation" and
            "inference" are not drawn in training: they stand behind `sample`
            and `infer`; "negative" and "positive" stand in for them.
        prior: Density p(z), a `densities.Prior`; None where every role has
            its own.
        likelihood: Density p(x | z), a `densities.Likelihood`; None where
            states are observations.
        encoder: Density q(z | x), where a family has one.
        context: Layer that makes of what is given (batch["given"]: the pasts
            of agents, say, of which some see each other) the condition that
            all densities take, a row of it for each row of the batch. It
            learns by every term that does not stop its gradient. Without it
            the condition is batch["condition"], if anything.
        attribute: Density p(y | z) of a number y, where a family has one;
            batches that hold it as "attribute" then shape the posterior too.
        updates: Part -> how often a step updates it, if not once. What is
            drawn on the tape is drawn again each time; all else stays.
        turns: Parts that a step updates one after the other, each with losses
            of the weights that those before it left, drawn as for `updates`.
            Without any, all are updated together.
        copies: Name -> `MovingCopy`, which follow after every step.
        banks: Chain banks to checkpoint.
        frozen: Name -> layer that is kept in checkpoints, but does not learn.
        bases: `densities.Fitted`, which are fitted to codes every
            `fit_bases_every` steps; if that is 0, once, before the first one.
        fitted: Densities with `fit(codes, seed, step)`, such as
            `densities.GaussianMixture`, which learn when training is over.
        seed: Seed of the run, any int.

    Raises:
        ValueError: If parts and objectives do not match, or a role has
            nothing to climb.
    """

    def __init__(self, *, parts: Mapping[str, Any],
                 objectives: Mapping[str, Objective],
                 roles: Mapping[str, Role | Sampler],
                 prior: keras.Model | None = None,
                 likelihood: keras.Model | None = None,
                 encoder: keras.Model | None = None,
                 context: keras.layers.Layer | None = None,
                 attribute: keras.Model | None = None,
                 updates: Mapping[str, int] | None = None, turns=(),
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
        self.turns = tuple(map(tuple, turns)) or (tuple(self.parts),)
        checks.updates_fit(self.parts, self.updates)
        checks.turns_fit(self.parts, self.turns, self.updates)
        self.roles = resolved(roles, likelihood is not None)
        self.banks, self.fitted, self.seed = list(banks), list(fitted), seed
        self.frozen, self.bases = dict(frozen or {}), list(bases)
        self.fit_bases_every = fit_bases_every
        # An optimizer's own counter stands still when a step is skipped.
        self.step = replication.Counter(name="step")
        # Kept beside the checkpoints by `fit`: it must outlive going back.
        self.rollbacks = replication.Counter(name="rollbacks")
        self.recipe = None  # Set by `families.build`.
        self.rows = []  # The history, kept by `fit`.
        self.built = True
        naming.number_layers(self)

    @property
    def samplers(self) -> dict[str, Sampler]:
        """Role -> sampler."""
        return {name: role.sampler for name, role in self.roles.items()}

    def target(self, role: str, batch: Mapping[str, Any],
               seed: rng.Seed | None = None):
        """What the chains of a role climb, position -> [chains].

        Args:
            role: Of `roles`.
            batch: With what the role looks at.
            seed: Of the step in training; None else.
        """
        return self.roles[role].target(self, Draws(batch, {}, seed))

    def variables_of(self, part: str) -> list:
        """The trainable variables of a part, those that its layers share
        once."""
        return list({id(variable): variable for layer in self.parts[part]
                     for variable in layer.trainable_variables}.values())

    def compile(self, optimizers: Mapping[str, keras.optimizers.Optimizer],
                **kwargs):
        """Gives every part its optimizer, and builds it at once.

        Args:
            optimizers: Part name -> optimizer, for exactly the parts.
            **kwargs: Of `keras.Model.compile`.

        Where the networks compute in float16, gradients are scaled: each
        optimizer gets a `LossScaleOptimizer` around it.

        Raises:
            ValueError: If the names differ from the parts'.
        """
        if set(optimizers) != set(self.parts):
            raise ValueError(
                f"optimizers must be given for {', '.join(self.parts)}, got "
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
        """`train_step` on every replica, compiled once."""
        if self.train_function is None or force:
            self.train_function = replication.train_function(
                self.train_step, self.distribute_strategy,
                self.steps_per_execution)

    def set_loss_scale(self, loss_scale: float) -> None:
        """Sets the factor > 0 on gradients, where there is one."""
        for optimizer in self.optimizers.values():
            if optimization.has_loss_scale(optimizer):
                optimizer.dynamic_scale.assign(loss_scale)

    def _symbolic_build(self, *args, **kwargs):
        """Nothing: everything is built before `fit`."""

    _maybe_symbolic_build = _symbolic_build

    def conditioned(self, batch: Mapping[str, Any]) -> Mapping[str, Any]:
        """The batch with its condition as densities take it."""
        if self.context is None:
            return batch
        return {**batch, "condition": self.context(batch["given"])}

    def draw(self, batch: Mapping[str, Any], seed: rng.Seed,
             tape: tf.GradientTape | None = None) -> Draws:
        """Draws the states of every role of training, one after the other.

        Args:
            batch: The data.
            seed: Of the step.
            tape: Records what is reparameterized, and nothing else.
        """
        return self._draw_roles(Draws(self.conditioned(batch), {}, seed), tape)

    def _draw_roles(self, draws, tape):
        """The draws with the states of those roles that it lacks."""
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
        """A scope in which the networks of a role's chains are cast once."""
        densities = (role.prior or self.prior, self.likelihood)
        return precision.kernels_cast_once(*(
            density for density in densities if density is not None))

    def train_step(self, batch: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """One step of every part; returns what to log."""
        checks.check_batch(batch)
        run = rng.retry(rng.make_seed(self.seed), self.rollbacks)
        seed = rng.fold_in(run, self.step)
        with tf.GradientTape(persistent=True) as tape:
            draws = self.draw(batch, seed, tape)
            losses = self._values_of(draws, self.turns[0])
        logs = statistics.of_roles(self, draws)
        logs.update(self._update(tape, losses, self.turns[0]))
        for turn, parts in enumerate(self.turns[1:], 1):
            more, updated = self._update_again(draws, parts, "turn", turn)
            losses |= more
            logs.update(updated)
        for again in range(1, max(self.updates.values(), default=1)):
            self._update_again(draws, [part for part, count in (
                self.updates.items()) if count > again], "again", again)
        for _, terms in losses.values():
            logs.update({f"loss/{name}": value
                         for name, value in terms.items()})
        self.step.assign_add(1)
        replication.renew(
            layer for part in self.parts.values() for layer in part)
        for copy in self.copies.values():
            copy.follow(self.step)
        return logs

    def _values_of(self, draws, parts):
        """The losses that train any of the parts."""
        return {name: objective(self, draws)
                for name, objective in self.objectives.items()
                if set(parts) & set(objective.parts)}

    def _update_again(self, draws, parts, name, k):
        """Updates parts on the same draws, but for those drawn again;
        returns their losses, and what to log."""
        kept = {name: draw for name, draw in draws.states.items()
                if not self.roles[name].drawn_again}
        draws = draws._replace(
            states=kept, seed=rng.fold_in(rng.stream(draws.seed, name), k))
        with tf.GradientTape(persistent=True) as tape:
            losses = self._values_of(self._draw_roles(draws, tape), parts)
        return losses, self._update(tape, losses, parts)

    def _update(self, tape, losses, parts):
        """Updates parts by their losses; returns what to log."""
        gradients, logs = self._gradients(tape, losses, parts), {}
        for part in parts:
            logs.update({f"{name}/{part}": value for name, value in
                         optimization.apply(
                             self.optimizers[part],
                             replicas.total(gradients[part]),
                             self.variables_of(part)).items()})
        return logs

    def _gradients(self, tape, losses, parts):
        """Part -> the gradients of all losses that train it, summed.

        Terms average over the rows of a replica, so the sum of a replica's
        share over all replicas is the gradient for the whole batch. Parts
        that learn from the same objectives share one way back: two would
        both run, as TensorFlow does not see that loops are the same.
        """
        groups = {}
        for part in parts:
            alone = optimization.has_loss_scale(
                self.optimizers[part]) and part
            groups.setdefault((alone, *(
                name for name in losses
                if part in self.objectives[name].parts)), []).append(part)
        gradients = {}
        for (_, *names), parts in groups.items():
            # Not their sum: an addition made after the tape is not on it.
            totals = [losses[name][0] for name in names]
            scale = optimization.loss_scale(
                self.optimizers[parts[0]]) / replicas.count()
            gradients.update(zip(parts, tape.gradient(
                totals, [self.variables_of(part) for part in parts],
                [tf.cast(scale, total.dtype) for total in totals])))
        return gradients
