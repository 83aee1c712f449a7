"""Metrics of energies of noise levels: density, anomalies, inpainting."""

import dataclasses
import math
import os
from typing import Annotated, Any, Iterator

import numpy as np
import tensorflow as tf

from lebm_tf.densities import EnergyPrior, LevelPrior, StandardNormal
from lebm_tf.densities.neighbours import neighbours
from lebm_tf.errors import InputError
from lebm_tf.evaluation import pictures
from lebm_tf.evaluation.evaluator import Better, Context, Evaluator, Metric
from lebm_tf.evaluation.latents import annealing
from lebm_tf.kinds import IMAGE
from lebm_tf.mcmc import Langevin, displacement, rng, trace_chain
from lebm_tf.models import inpainting
from lebm_tf.ranges import Ge, PositiveInt

_LEVELS_PER_UNIT = 127.5  # Pixel values 0..255 span [-1, 1].
_NUM_SHOWN, _NUM_RECORDS, _NUM_ENDS = 8, 10, 2


@dataclasses.dataclass(frozen=True)
class LevelsEvaluator(Evaluator):
    """Metrics of energies of noise levels.

    Attributes:
        num_examples: Number of held-out images.
        num_annealing_steps: Intermediate densities between N(0, I) and the
            lowest level.
        num_annealing_chains: Number of annealed chains.
        num_steps: Steps of the long chains of every level.
        num_chains: Number of long chains per level.
    """
    num_examples: Annotated[int, Ge(2)] = 200
    num_annealing_steps: PositiveInt = 1000
    num_annealing_chains: Annotated[int, Ge(2)] = 50
    num_steps: PositiveInt = 2000
    num_chains: Annotated[int, Ge(2)] = 20

    name = "levels"
    kinds = (IMAGE,)
    min_examples = 2
    metrics = {
        "levels/bits_per_dim": Better.LOWER,
        "levels/bits_per_dim_high": Better.LOWER,
        "levels/auroc_*": Better.HIGHER,
        "levels/inpainting_mse": Better.LOWER,
        "levels/inpainting_mse_of_mean": Better.NEITHER,
        "levels/long_energy_*": Better.NEITHER,
        "levels/long_displacement_*": Better.NEITHER,
        **{f"levels/{name}": Better.NEITHER for name in (
            "log_prob", "log_z", "log_z_standard_error", "log_z_reverse",
            "log_z_reverse_standard_error", "annealing_accept_prob",
            "annealing_steps", "annealing_chains", "num_examples",
            "num_steps")}}

    def check(self, context: Context, model: Any) -> None:
        """As `Evaluator.check`; also raises unless the model has noise levels.
        """
        super().check(context, model)
        if not isinstance(model.prior, LevelPrior):
            raise InputError(
                "evaluator levels needs energies of noise levels, as in the "
                "family recovery_likelihood, got "
                f"{type(model.prior).__name__}.")

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Measures, and draws inpainting.png and long_chains.png.

        Yields:
            levels/auroc_KIND_T: how well log p at level T separates held-out
            images from others under the same noise: with permuted pixels
            (shuffled), upside down (flipped), or with uniform pixels (uniform).
            levels/bits_per_dim: of held-out images under the noise of level 0,
            a lower estimate, with log Z by annealed importance sampling over
            `num_annealing_steps` intermediate densities;
            levels/bits_per_dim_high: an upper estimate, with log Z annealed
            backwards. Both should agree. levels/inpainting_mse: error per pixel
            of right halves drawn given left halves; _of_mean: of the mean
            image. levels/long_energy_T: change of the energy of conditional
            chains of level T that start at data between steps K / 2 and K =
            num_steps, over its standard deviation; levels/long_displacement_T:
            their displacement per pixel.
        """
        seed = rng.stream(rng.make_seed(context.config.seed), "levels")
        x = np.asarray(context.data.to_model(
            context.data.x_test[:self.num_examples]))
        yield "levels/num_examples", len(x)
        yield from _strangeness(model.prior, x, rng.stream(seed, "strange"))
        yield from self._density(model, x, rng.stream(seed, "density"))
        yield from _completion(model, context, x, rng.stream(seed, "inpaint"))
        yield from self._long(model, context, x, rng.stream(seed, "long"))

    def _density(self, model, x, seed):
        prior, size = model.prior, math.prod(x.shape[1:])
        state = at_level(prior, 0, x, rng.stream(seed, "noise"))
        log_probs = np.concatenate([prior.unnormalized_log_prob(
            part, condition=tf.zeros([len(part)], tf.int32)).numpy()
            for part in np.array_split(state, -(-len(x) // 100))])
        base = lowest(prior, x.shape[1:])
        start = prior.levels.model_factors[1] * model.sample(
            self.num_annealing_chains, 0).x
        low, high, accept_prob = annealing.interval(
            base, tf.constant(start.reshape(len(start), size)),
            self.num_annealing_steps, seed)
        # In units of x; the state is b_1 a_0 x plus noise.
        scale = size * math.log(
            prior.levels.model_factors[1] * prior.levels.factors[0])
        for key, log_z in (("", low), ("_high", high)):
            log_prob = float(log_probs.mean(dtype=np.float64)
                             ) - float(log_z.value) + scale
            yield f"levels/bits_per_dim{key}", (
                math.log2(_LEVELS_PER_UNIT) - log_prob / size / math.log(2.0))
        for key, log_z in (("log_z", low), ("log_z_reverse", high)):
            yield f"levels/{key}", float(log_z.value)
            yield f"levels/{key}_standard_error", float(log_z.standard_error)
        yield "levels/annealing_accept_prob", accept_prob
        yield "levels/annealing_steps", self.num_annealing_steps
        yield "levels/annealing_chains", self.num_annealing_chains

    def _long(self, model, context, x, seed):
        prior = model.prior
        yield "levels/num_steps", self.num_steps
        shown = []
        for t in range(prior.levels.num_levels):
            own = rng.fold_in(seed, t)
            # Conditioned on the neighbour of data, as in training.
            y, above = pair(prior, t, x[:self.num_chains], own)
            target = prior.at_level(tf.fill([len(y)], t), above)
            every = max(1, self.num_steps // _NUM_RECORDS)
            _, (states, energies) = tf.function(lambda: trace_chain(
                Langevin(prior.step_sizes[t]), target, y,  # noqa: B023
                every * _NUM_RECORDS, own,  # noqa: B023
                lambda state: (state.position, prior.energy(
                    state.position, condition=target.condition)),  # noqa: B023
                every))()  # noqa: B023
            energies = energies.numpy().astype(np.float64)
            change = energies[-1] - energies[_NUM_RECORDS // 2]
            yield f"levels/long_energy_{t}", float(
                change.mean() / max(energies[1:].std(), 1e-12))
            yield f"levels/long_displacement_{t}", float(np.mean(
                displacement(y, states[-1])) / math.sqrt(y[0].numpy().size))
            scale = prior.levels.model_factors[t + 1]
            if t < 2 or t == prior.levels.num_levels - 1:
                shown.append((f"level {t}: data under noise, and every {every} "
                              "moves", np.clip(states[:, :_NUM_SHOWN].numpy(
                              ).swapaxes(0, 1).reshape(
                                  -1, *x.shape[1:]) / scale, -1, 1)))
        if context.directory:
            pictures.save_panels(os.path.join(
                context.directory, "long_chains.png"), shown,
                _NUM_RECORDS + 1)


def pair(prior: LevelPrior, level: int, x: np.ndarray, seed: rng.Seed
         ) -> tuple[tf.Tensor, tf.Tensor]:
    """States of images at a level, and their noisier neighbours."""
    x = tf.constant(x)
    return neighbours(
        prior.levels, x, tf.fill([len(x)], level),
        *(rng.normal_like(x, rng.stream(seed, name))
          for name in ("noise", "more")))


def at_level(prior: LevelPrior, level: int, x: np.ndarray, seed: rng.Seed
             ) -> np.ndarray:
    """States of images at a level, float32 like x."""
    return pair(prior, level, x, seed)[0].numpy()


def lowest(prior: LevelPrior, shape: tuple[int, ...]) -> EnergyPrior:
    """The density of flattened states of level 0, as a tilt of N(0, I).

    Args:
        prior: Prior of all levels.
        shape: Shape of one image.
    """
    base = StandardNormal(math.prod(shape))

    class Tilt(tf.Module):
        def __call__(self, y):
            log_prob = prior.unnormalized_log_prob(
                tf.reshape(y, [-1, *shape]),
                condition=tf.zeros(tf.shape(y)[:1], tf.int32))
            return base.log_prob(y) - log_prob
    return EnergyPrior(base, Tilt())


def strange(x: np.ndarray, seed: rng.Seed) -> dict[str, np.ndarray]:
    """Anomalous images: with permuted pixels (one order for all), upside down,
    and with uniform pixels in [-1, 1]."""
    size = math.prod(x.shape[1:3])
    order = rng.permutation(tf.range(size, dtype=tf.int64), rng.stream(
        seed, "shuffled"), size).numpy()
    shuffled = x.reshape(len(x), size, -1)[:, order].reshape(x.shape)
    return {"shuffled": shuffled, "flipped": x[:, ::-1],
            "uniform": 2.0 * rng.uniform(x.shape, rng.stream(
                seed, "uniform")).numpy() - 1.0}


def _strangeness(prior, x, seed):
    from sklearn import metrics  # Slow to import.
    sets = {"data": x, **strange(x, seed)}
    for t in range(prior.levels.num_levels):
        found = {name: prior.unnormalized_log_prob(
            at_level(prior, t, other, rng.stream(rng.fold_in(seed, t), name)),
            condition=tf.fill([len(other)], t)).numpy()
            for name, other in sets.items()}
        for name in list(sets)[1:]:
            yield f"levels/auroc_{name}_{t}", float(
                metrics.roc_auc_score(
                    np.repeat([1, 0], [len(x), len(x)]),
                    np.concatenate([found["data"], found[name]])))


def _completion(model, context, x, seed):
    known = np.zeros(x.shape[1:], bool)
    known[:, :x.shape[2] // 2] = True
    drawn = np.stack([inpainting.complete(
        model, x, known, rng.fold_in(seed, end)) for end in range(_NUM_ENDS)])
    unknown = ~known
    yield "levels/inpainting_mse", float(np.square(
        (drawn - x)[..., unknown]).mean())
    mean = np.asarray(context.data.to_model(
        context.data.x_train[:1000])).mean(0)
    yield "levels/inpainting_mse_of_mean", float(np.square(
        (mean - x)[..., unknown]).mean())
    if context.directory:
        shown = np.stack([x, np.where(known, x, 0.0), *drawn], 1)[:16]
        pictures.save_panels(
            os.path.join(context.directory, "inpainting.png"),
            [("held-out pictures, what is known of them, two completions",
              np.clip(shown.reshape(-1, *x.shape[1:]), -1, 1))],
            2 * (2 + _NUM_ENDS))
