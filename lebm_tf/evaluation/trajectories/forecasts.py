"""Predicted futures of held-out agents, compared with the true ones."""

import dataclasses
import os
from typing import Any, Iterator, NamedTuple

import numpy as np
import tensorflow as tf

from lebm_tf.datasets.trajectories.data import Tracks, TrajectoryData
from lebm_tf.datasets.trajectories.transforms import in_scene, normalised
from lebm_tf.evaluation.evaluator import Better, Context, Evaluator, Metric
from lebm_tf.evaluation.images.reconstruction import standard_error
from lebm_tf.evaluation.trajectories.baseline import constant_velocity_samples
from lebm_tf.evaluation.trajectories.collisions import collision_rate
from lebm_tf.evaluation.trajectories.metrics import (
    PROTOCOLS, kde_nll, minimum_errors, miss_rate)
from lebm_tf.evaluation.trajectories.pictures import Scene, save_scenes
from lebm_tf.kinds import TRAJECTORY
from lebm_tf.ranges import NonNegativeFloat, PositiveInt

# 2 m as in Argoverse and 0.2 m as in TrajNet++; about the same distances in
# the videos of Stanford Drone, with 0.03 to 0.04 m per pixel.
MISS_DISTANCES = {"m": 2.0, "px": 50.0}
COLLISION_DISTANCES = {"m": 0.2, "px": 5.0}
_ROWS = 512  # Approximate number of agents per batch of groups.
_NUM_SCENES = 9


class Paths(NamedTuple):
    """Predictions of a model, in the unit of the data.

    Attributes:
        predictions: float64 [N, K, future_length, 2].
        plans: Their way-points, float64 [N, K, plan_steps, 2].
        energy: E(z, past) of each, in nats, float32 [N, K].
    """
    predictions: np.ndarray
    plans: np.ndarray
    energy: np.ndarray


_ERRORS = [f"{protocol}_{key}" for protocol in PROTOCOLS
           for key in ("ade", "fde")]


@dataclasses.dataclass(frozen=True)
class TrajectoriesEvaluator(Evaluator):
    """Errors of predicted futures, by both protocols of `metrics`.

    Attributes:
        num_paths: Predictions per agent; published numbers use 20.
        miss_distance: Largest distance of the nearest final position to the
            true one that is not a miss, in the unit of the data; 0 for 2 m, or
            50 px.
        collision_distance: Distance below which two agents collide; 0 for 0.2
            m, or 5 px.
        watch_test: Whether to measure on the test part during training as well,
            for the best checkpoint by test data. That is not a valid result,
            and nothing is chosen by it.
    """
    num_paths: PositiveInt = 20
    miss_distance: NonNegativeFloat = 0.0
    collision_distance: NonNegativeFloat = 0.0
    watch_test: bool = False

    name = "trajectories"
    kinds = (TRAJECTORY,)
    metrics = {
        **{f"trajectories/{name}": Better.LOWER for name in _ERRORS},
        **{f"trajectories/{name}": Better.LOWER
           for name in ("miss_rate", "kde_nll", "collision_rate")},
        **{f"trajectories/{name}": Better.NEITHER for name in (
            "num_agents", "num_paths", "miss_distance", "collision_distance",
            "energy", "true_collision_rate", "*_standard_error",
            "constant_velocity/*", "watched_test_*")}}

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Errors of K predictions per held-out agent, in the unit of the data,
        by both protocols, and those of as many constant velocity paths with
        random rotations."""
        data, seed = context.data, context.config.seed
        tracks, count = data.part("test"), self.num_paths
        paths = predict(model, data, tracks, count, seed)
        yield "trajectories/unit", data.unit
        yield "trajectories/num_agents", len(tracks.past)
        yield "trajectories/num_paths", count
        steps = model.likelihood.generator.plan_steps
        yield from self._measured("trajectories", paths.predictions,
                                  paths.plans, steps, context)
        yield "trajectories/energy", float(paths.energy.mean())
        straight = constant_velocity_samples(
            tracks.past, data.future_length, count, seed).predictions
        yield from self._measured("trajectories/constant_velocity", straight,
                                  None, steps, context)
        one = minimum_errors(constant_velocity_samples(
            tracks.past, data.future_length, 1, 0, 1e-9).predictions,
            tracks.future)
        for key, values in one._asdict().items():
            yield f"trajectories/constant_velocity/one_path_{key}", float(
                values.mean())
        distance = self.collision_distance or COLLISION_DISTANCES[data.unit]
        yield "trajectories/true_collision_rate", collision_rate(
            tracks.future[:, None], tracks.group, distance, tracks.start,
            data.frame_step)
        if self.watch_test and data.final is not None:
            paths = predict(model, data, data.final, count, seed)
            for name, value in _errors(
                    paths.predictions, paths.plans, data.final, steps):
                yield f"trajectories/watched_test_{name}", value
        if context.directory:
            write_picture(data, tracks, paths, context)

    def _measured(self, prefix, predictions, plans, steps, context
                  ) -> Iterator[Metric]:
        """All metrics of predictions."""
        data = context.data
        tracks = data.part("test")
        for name, value in _errors(predictions, plans, tracks, steps):
            yield f"{prefix}/{name}", value
        distance = self.miss_distance or MISS_DISTANCES[data.unit]
        yield f"{prefix}/miss_rate", miss_rate(
            predictions, tracks.future, distance)
        yield f"{prefix}/miss_distance", distance
        if predictions.shape[1] > 2:  # A density in the plane needs three.
            yield f"{prefix}/kde_nll", kde_nll(predictions, tracks.future)
        distance = self.collision_distance or COLLISION_DISTANCES[data.unit]
        yield f"{prefix}/collision_rate", collision_rate(
            predictions, tracks.group, distance, tracks.start, data.frame_step)
        yield f"{prefix}/collision_distance", distance


def predict(model: Any, data: TrajectoryData, tracks: Tracks, num_paths: int,
            seed: int, context: Any = None, **options) -> Paths:
    """Predicts K paths of every agent.

    Args:
        model: A model of the family trajectory.
        data: The data set of `tracks`.
        tracks: Agents; those of a group see each other.
        num_paths: K, at least 1.
        seed: Any int.
        context: Result of `contexts`, if already computed.
        **options: num_steps and temperature, as in the model's `sample`.
    """
    if context is None:
        context = contexts(model, data, tracks)
    condition = tf.nest.map_structure(
        lambda leaf: np.repeat(leaf, num_paths, axis=0), context)
    samples = model.sample(len(tracks.past) * num_paths, seed,
                           condition=condition, **options)
    plans = _plans(model, samples.z, condition)

    def placed(positions):
        return in_scene(positions.astype(np.float64).reshape(
            -1, num_paths, *positions.shape[1:]), tracks.past, data.scale)
    return Paths(placed(samples.x), placed(plans),
                 samples.energy.reshape(-1, num_paths))


def contexts(model: Any, data: TrajectoryData, tracks: Tracks) -> Any:
    """The condition of every agent, nest of [N, ...]; computed for whole
    groups, so that it depends on an agent's group only."""
    order = np.argsort(tracks.group, kind="stable")
    group = tracks.group[order]
    first = np.flatnonzero(np.diff(group, prepend=-1))
    # Pieces consist of whole groups.
    cuts = [first[i] for i in range(1, len(first))
            if first[i] // _ROWS != first[i - 1] // _ROWS]
    past = normalised(tracks.past, tracks.past, data.scale).astype(np.float32)
    step = tf.function(model.context, reduce_retracing=True, autograph=False)
    pieces = [tf.nest.map_structure(np.asarray, step({
        "past": tf.constant(past[rows]),
        "group": tf.constant(tracks.group[rows])}))
        for rows in np.split(order, cuts)]
    back = np.argsort(order)
    return tf.nest.map_structure(
        lambda *leaves: np.concatenate(leaves)[back], *pieces)


def _plans(model, z, condition) -> np.ndarray:
    """Way-points of latents, [rows, plan_steps, 2]."""
    forecaster = model.likelihood.generator
    step = tf.function(
        lambda z, condition: forecaster.forecast(z, condition).plan,
        reduce_retracing=True, autograph=False)
    size = model.inference_batch
    return np.concatenate([
        step(*tf.nest.map_structure(
            lambda leaf: tf.constant(leaf[i:i + size]), (z, condition)))
        for i in range(0, len(z), size)])


def _errors(predictions, plans, tracks, steps) -> Iterator[Metric]:
    """Means by both protocols, with their standard errors."""
    for protocol, errors in PROTOCOLS.items():
        more = (plans, steps) if protocol == "nearest_plan" else ()
        found = errors(predictions, tracks.future, *more)
        for key, values in found._asdict().items():
            yield f"{protocol}_{key}", float(values.mean())
            yield (f"{protocol}_{key}_standard_error",
                   standard_error(values))


def write_picture(data: TrajectoryData, tracks: Tracks, paths: Paths,
                  context: Context) -> str:
    """Writes trajectories.png, a selection of held-out agents with their paths
    coloured by energy; returns its name."""
    rows = np.unique(np.linspace(
        0, len(tracks.past) - 1, _NUM_SCENES).astype(int))
    save_paths(os.path.join(context.directory, "trajectories.png"), data,
               tracks.take(rows), Paths(*(values[rows] for values in paths)))
    return "trajectories.png"


def save_paths(path: str, data: TrajectoryData, tracks: Tracks, paths: Paths
               ) -> None:
    """Draws observed, true and predicted positions of one agent per panel into
    a file ending in .png."""
    save_scenes(path, [
        Scene(", ".join(filter(None, (
            str(tracks.scene[i]), f"frame {tracks.start[i]}"))),
              tracks.past[i:i + 1], tracks.future[i:i + 1],
              paths.predictions[i:i + 1], paths.energy[i:i + 1])
        for i in range(len(tracks.past))], data.unit)
