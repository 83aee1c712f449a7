"""The one model that is trained: draw, then losses, then update."""

from typing import Any, Mapping

import keras
import tensorflow as tf

from lebm_tf import precision
from lebm_tf.densities.targets import (
    joint_target, posterior_target, prior_target)
from lebm_tf.mcmc import replicas, rng
from lebm_tf.mcmc.diagnostics import displacement
from lebm_tf.mcmc.kernel import num_chains
from lebm_tf.models import naming, optimization, replication
from lebm_tf.models.inference import LatentInference
from lebm_tf.objectives.objective import Draws, Objective
from lebm_tf.samplers.short_run import Draw, ShortRun


class EnergyModel(LatentInference, keras.Model):
    """p(x, z) = p(z) p(x | z), learned by maximum likelihood.

    One step draws states that fit the data (positive) and states of the model
    (negative) with the parameters as they are, then every objective updates
    its parts. Families choose the pieces; none overrides `train_step`.

    All randomness is a function of (seed, step, stream), so a run repeats
    exactly, and the only thing to save besides variables is `step`.

    Args:
        prior: Density of z: `EnergyPrior`, or a base with `log_prob`.
        likelihood: Density of x given z.
        parts: Name -> layer or tuple of layers that an optimizer trains.
        objectives: Name -> `Objective`.
        positive: Sampler of positive states, or None.
        negative: Sampler of negative states, or None.
        generation: Sampler behind `sample`; `negative` if not given.
        inference: Sampler behind `infer`; `positive` if not given.
        encoder: Density q(z | x), where a family has one.
        context: Layer that makes of what is given (batch["given"]: the pasts
            of agents, say, of which some see each other) the condition that
            all densities take, a row of it for each row of the batch. It
            learns by every term that does not stop its gradient. Without it
            the condition is batch["condition"], if anything.
        attribute: Density p(y | z) of a number y, where a family has one;
            batches that hold it as "attribute" then shape the posterior too.
        banks: Chain banks to checkpoint.
        fitted: Densities with `fit(codes, seed, step)`, such as
            `densities.GaussianMixture`, which learn when training is over.
        seed: Seed of the run, any int.

    Raises:
        ValueError: If parts and objectives do not match, or there is nothing
            to generate or infer with.
    """

    def __init__(self, *, prior: keras.Model, likelihood: keras.Model,
                 parts: Mapping[str, Any], objectives: Mapping[str, Objective],
                 positive=None, negative=None,
                 generation: ShortRun | None = None, inference=None,
                 encoder: keras.Model | None = None,
                 context: keras.layers.Layer | None = None,
                 attribute: keras.Model | None = None, banks=(), fitted=(),
                 seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.prior, self.likelihood, self.encoder = prior, likelihood, encoder
        self.attribute = attribute
        self.parts = {name: part if isinstance(part, (tuple, list)) else
                      (part,) for name, part in parts.items()}
        self.objectives = dict(objectives)
        _check_objectives(self.parts, self.objectives)
        self.context = context
        self.positive, self.negative = positive, negative
        self.generation = generation or negative
        self.inference = inference or positive
        if self.generation is None or self.inference is None:
            raise ValueError("a model needs a sampler for generation and one "
                             "for inference, got None.")
        self.banks, self.fitted, self.seed = list(banks), list(fitted), seed
        # An own counter: an optimizer's stands still when a step is skipped.
        self.step = replication.Counter(name="step")
        # Kept beside the checkpoints by `fit`: it must outlive going back.
        self.rollbacks = replication.Counter(name="rollbacks")
        self.recipe = None  # Set by `families.build`.
        self.rows = []  # The history, kept by `fit`.
        self.built = True
        naming.number_layers(self)

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

    def positive_target(self, batch: Mapping[str, Any],
                        seed: rng.Seed | None = None):
        """What positive chains climb: the posterior; the seed is that of a
        training step, for a likelihood with dropout in chains."""
        if not getattr(self.likelihood, "chain_dropout", False):
            seed = None
        return self._with_attribute(posterior_target(
            self.prior, self.likelihood, batch["x"], batch.get("condition"),
            seed), batch)

    def negative_target(self, batch: Mapping[str, Any]):
        """What negative chains climb: the prior."""
        return prior_target(self.prior, batch.get("condition"))

    def conditioned(self, batch: Mapping[str, Any]) -> Mapping[str, Any]:
        """The batch with its condition as densities take it."""
        if self.context is None:
            return batch
        return {**batch, "condition": self.context(batch["given"])}

    def generation_target(self, batch: Mapping[str, Any]):
        """What chains that draw samples climb: the prior, p(z | y) where
        there is a y, as "attribute"."""
        return self._with_attribute(self.negative_target(batch), batch)

    def _with_attribute(self, target, batch):
        """The target, times p(y | z) where there are both."""
        if self.attribute is None or "attribute" not in batch:
            return target
        return joint_target(target, self.attribute, batch["attribute"])

    def draw(self, batch: Mapping[str, Any], seed: rng.Seed, *,
             reparameterized: bool = False) -> Draws:
        """Draws the states that need no gradient of parameters, or, with
        `reparameterized`, those that do.

        The one method that a family of other data may extend: what it puts
        into `Draws.batch` (a noise level, a noisier neighbour) is what the
        second call and the objectives see.
        """
        return Draws(batch, *(
            self._draw(name, batch, seed)
            if getattr(self, name) is not None and
            getattr(self, name).is_reparameterized == reparameterized else None
            for name in ("positive", "negative")), seed)

    def _draw(self, name, batch, seed) -> Draw:
        target = self.negative_target(batch) if name == "negative" else (
            self.positive_target(batch, rng.stream(seed, "chain_dropout")))
        with precision.kernels_cast_once(self.prior, self.likelihood):
            return getattr(self, name).draw(
                target, num_chains(batch["x"]), batch, rng.stream(seed, name))

    def train_step(self, batch: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """One update of every part; returns what to log."""
        run = rng.retry(rng.make_seed(self.seed), self.rollbacks)
        seed = rng.fold_in(run, self.step)
        # Outside the tape.
        chains = self.draw(self.conditioned(batch), seed)
        logs = self.statistics(chains)
        with tf.GradientTape(persistent=True) as tape:
            encoded = self.draw(self.conditioned(chains.batch), seed,
                                reparameterized=True)
            draws = encoded._replace(
                positive=chains.positive or encoded.positive,
                negative=chains.negative or encoded.negative)
            losses = {name: objective(self, draws)
                      for name, objective in self.objectives.items()}
        logs.update(self.statistics(encoded))
        gradients = self._gradients(tape, losses)
        for part, optimizer in self.optimizers.items():
            logs.update({f"{name}/{part}": value for name, value in
                         optimization.apply(
                             optimizer, replicas.total(gradients[part]),
                             self.variables_of(part)).items()})
        for _, terms in losses.values():
            logs.update({f"loss/{name}": value
                         for name, value in terms.items()})
        self.step.assign_add(1)
        return logs

    def _gradients(self, tape, losses):
        """Part -> the gradients of all objectives that train it, summed.

        Terms average over the rows of a replica, so the sum of a replica's
        share over all replicas is the gradient for the whole batch. Parts
        that learn from the same objectives share one way back: two would
        both run, as TensorFlow does not see that loops are the same.
        """
        groups = {}
        for part, optimizer in self.optimizers.items():
            alone = optimization.has_loss_scale(optimizer) and part
            groups.setdefault((alone, *(
                name for name, objective in self.objectives.items()
                if part in objective.parts)), []).append(part)
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

    def statistics(self, draws: Draws) -> dict[str, tf.Tensor]:
        """Of every chain: energy, displacement, gradient, acceptance."""
        logs = {}
        condition = draws.batch.get("condition")
        for name, draw in zip(("positive", "negative"), draws[1:]):
            if draw is None:
                continue
            state = draw.state
            values = {"displacement": displacement(
                          draw.start, state.position),
                      "gradient_norm": state.gradient_norm,
                      "accept_prob": state.accept_prob}
            if hasattr(self.prior, "energy"):
                values["energy"] = self.energy(state.position, condition)
            logs.update({f"{name}/{key}": draws.mean(value)
                         for key, value in values.items()})
        return logs


def _check_objectives(parts: Mapping[str, Any],
                      objectives: Mapping[str, Objective]) -> None:
    """Raises ValueError unless every part learns, and every term is named."""
    for name, objective in objectives.items():
        unknown = set(objective.parts) - set(parts)
        if unknown:
            raise ValueError(
                f"objective {name!r} must name parts among "
                f"{', '.join(parts)}, got {', '.join(unknown)}.")
    idle = set(parts) - {part for objective in objectives.values()
                         for part in objective.parts}
    if idle:
        raise ValueError("every part must have an objective, got none for "
                         f"{', '.join(sorted(idle))}.")
    terms = [term for objective in objectives.values()
             for term in objective.terms]
    if len(terms) != len(set(terms)):
        raise ValueError("terms of all objectives must have different names, "
                         f"got {', '.join(terms)}.")
