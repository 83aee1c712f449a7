"""Networks of LB-EBM: pasts, plans and futures of agents.

Pang, Zhao, Xie and Wu 2021, arXiv:2104.03086; bpucla/lbebm, lbebm_sdd.py.
Positions are relative to the last observed one, in model units.
"""

from typing import Mapping, NamedTuple

import keras
import tensorflow as tf

from lebm_tf.networks.mlp import VectorMLP


class Forecast(NamedTuple):
    """Output of `Forecaster.forecast`.

    Attributes:
        plan: Way-points, float [batch, plan_steps, 2].
        future: Positions, float [batch, future_length, 2].
    """
    plan: tf.Tensor
    future: tf.Tensor


@keras.saving.register_keras_serializable(package="lebm_tf")
class SocialContext(keras.layers.Layer):
    """Features of an agent's past, before and after social pooling.

    x <- x + A g(x), num_pools times with shared weights, where A_ij is the
    softmax over the group of agent i of theta(x_i) . phi(x_j). The authors
    compute it over the whole batch and renormalize within the group, which is
    the same up to underflow.

    Args:
        past_length: Observed positions, at least 1.
        feature_dim: Width of the features, at least 1.
        hidden_units: Hidden widths from past to features.
        num_pools: Number of pooling rounds; 0 for none.
        pooling_dim: Width of theta and phi.
        pooling_units: Hidden widths of theta, and of phi and g by default.
        phi_units, value_units: Hidden widths of phi and g; () for
            `pooling_units`.
        seed: Seed of the initial weights.

    Call arguments:
        given: "past", float [batch, past_length, 2], and "group", integers
            [batch]; rows of one group interact.

    Returns:
        {"pooled": features after pooling, "plain": before it}, each float
        [batch, feature_dim].
    """

    def __init__(self, past_length: int, feature_dim: int = 16,
                 hidden_units: tuple = (512, 256), num_pools: int = 3,
                 pooling_dim: int = 128,
                 pooling_units: tuple = (256, 128, 64), seed: int = 0,
                 phi_units: tuple = (), value_units: tuple = (), **kwargs):
        super().__init__(**kwargs)
        if num_pools < 0:
            raise ValueError(f"num_pools must be >= 0, got {num_pools}.")
        self.settings = {
            "past_length": past_length, "feature_dim": feature_dim,
            "hidden_units": tuple(hidden_units), "num_pools": num_pools,
            "pooling_dim": pooling_dim, "pooling_units": tuple(pooling_units),
            "seed": seed, "phi_units": tuple(phi_units),
            "value_units": tuple(value_units)}
        self.num_pools, self.built = num_pools, True

        def network(inputs, outputs, hidden, number):
            return VectorMLP(inputs, outputs, hidden, activation="relu",
                             seed=seed + number, dtype=self.dtype_policy)
        self.past = network(2 * past_length, feature_dim, hidden_units, 0)
        if num_pools:
            self.theta, self.phi, self.value = (
                network(feature_dim, width, units or pooling_units, number)
                for number, (width, units) in enumerate((
                    (pooling_dim, pooling_units), (pooling_dim, phi_units),
                    (feature_dim, value_units)), 1))

    def attention(self, features: tf.Tensor, group: tf.Tensor) -> tf.Tensor:
        """A, float [batch, batch]; rows sum to 1."""
        match = tf.matmul(self.theta(features), self.phi(features),
                          transpose_b=True)
        same = group[:, None] == group[None]
        return tf.nn.softmax(tf.where(same, match, match.dtype.min))

    def call(self, given: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        plain = pooled = self.past(_flat(given["past"]))
        for _ in range(self.num_pools):
            pooled += tf.matmul(self.attention(pooled, given["group"]),
                                self.value(pooled))
        return {"pooled": pooled, "plain": plain}

    def get_config(self):
        return {**super().get_config(), **self.settings}


@keras.saving.register_keras_serializable(package="lebm_tf")
class Forecaster(keras.layers.Layer):
    """g(z, context): a plan of way-points, and the future along it.

    plan = decoder([context; z]) and future = predictor([context; features of
    the plan]).

    Args:
        latent_dim, feature_dim: Widths of z and of the context.
        future_length: Positions to predict, at least 1.
        plan_steps: Positions of the plan, counted from 0.
        plan_units: Hidden widths from a plan to its features.
        decoder_units: Hidden widths from z to a plan.
        predictor_units: Hidden widths from features to the future.
        predict_from: Features of the past for predictions: pooled, as in
            training, or plain, as in the authors' `predict`.
        seed: Seed of the initial weights.

    Call arguments:
        z: float [batch, latent_dim].
        condition: Output of `SocialContext`.

    Returns:
        Positions, float [batch, future_length, 2].
    """

    def __init__(self, latent_dim: int, feature_dim: int, future_length: int,
                 plan_steps: tuple = (2, 5, 8, 11),
                 plan_units: tuple = (256, 128),
                 decoder_units: tuple = (1024, 512, 1024),
                 predictor_units: tuple = (1024, 512, 256),
                 predict_from: str = "pooled", seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        if not plan_steps or not all(
                0 <= step < future_length for step in plan_steps):
            raise ValueError(f"plan_steps must be from 0 to "
                             f"{future_length - 1}, got {tuple(plan_steps)}.")
        if predict_from not in ("pooled", "plain"):
            raise ValueError("predict_from must be pooled or plain, got "
                             f"{predict_from!r}.")
        self.plan_steps = tuple(plan_steps)
        self.settings = {
            "latent_dim": latent_dim, "feature_dim": feature_dim,
            "future_length": future_length, "plan_steps": self.plan_steps,
            "plan_units": tuple(plan_units),
            "decoder_units": tuple(decoder_units),
            "predictor_units": tuple(predictor_units),
            "predict_from": predict_from, "seed": seed}
        self.predict_from, self.future_length = predict_from, future_length
        width = 2 * len(plan_steps)
        self.plan_encoder, self.decoder, self.predictor = (
            VectorMLP(inputs, outputs, hidden, activation="relu",
                      seed=seed + number, dtype=self.dtype_policy)
            for number, (inputs, outputs, hidden) in enumerate((
                (width, feature_dim, plan_units),
                (feature_dim + latent_dim, width, decoder_units),
                (2 * feature_dim, 2 * future_length, predictor_units))))
        self.built = True

    def plan_of(self, future: tf.Tensor) -> tf.Tensor:
        """The way-points of a future, float [batch, plan_steps, 2]."""
        return tf.gather(future, self.plan_steps, axis=1)

    def plan_features(self, plan: tf.Tensor) -> tf.Tensor:
        """Features of way-points [batch, plan_steps, 2], [batch, feature_dim].
        """
        return self.plan_encoder(_flat(plan))

    def forecast(self, z: tf.Tensor, condition: Mapping[str, tf.Tensor],
                 predict_from: str = "pooled") -> Forecast:
        """Plan and future; arguments as in a call."""
        plan = tf.reshape(
            self.decoder(tf.concat([condition["pooled"], z], -1)),
            [-1, len(self.plan_steps), 2])
        future = self.predictor(tf.concat(
            [condition[predict_from], self.plan_features(plan)], -1))
        return Forecast(plan, tf.reshape(
            future, [-1, self.future_length, 2]))

    def call(self, z: tf.Tensor, condition: Mapping[str, tf.Tensor]
             ) -> tf.Tensor:
        return self.forecast(z, condition, self.predict_from).future

    def get_config(self):
        return {**super().get_config(), **self.settings}


@keras.saving.register_keras_serializable(package="lebm_tf")
class PlanEncoder(keras.layers.Layer):
    """q(z | future, context), which uses only the plan of the future.

    Args:
        forecaster: Forecaster whose plan features it shares.
        latent_dim, feature_dim: Widths of z and of the context.
        hidden_units: Hidden widths from features to z.
        seed: Seed of the initial weights.

    Call arguments:
        x: Futures, float [batch, future_length, 2].
        condition: Output of `SocialContext`.

    Returns:
        (mean, log_scale), each float [batch, latent_dim].
    """

    def __init__(self, forecaster: Forecaster, latent_dim: int,
                 feature_dim: int, hidden_units: tuple = (256, 512),
                 seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.settings = {
            "latent_dim": latent_dim, "feature_dim": feature_dim,
            "hidden_units": tuple(hidden_units), "seed": seed}
        self.forecaster = forecaster
        self.network = VectorMLP(
            2 * feature_dim, latent_dim, hidden_units, 2, "relu", seed,
            dtype=self.dtype_policy)
        self.built = True

    def call(self, x: tf.Tensor, condition: Mapping[str, tf.Tensor]
             ) -> tuple[tf.Tensor, tf.Tensor]:
        plan = self.forecaster.plan_features(self.forecaster.plan_of(x))
        mean, log_variance = self.network(
            tf.concat([condition["pooled"], plan], -1))
        return mean, 0.5 * log_variance

    def get_config(self):
        return {**super().get_config(), **self.settings, "forecaster":
                keras.saving.serialize_keras_object(self.forecaster)}

    @classmethod
    def from_config(cls, config):
        forecaster = keras.saving.deserialize_keras_object(
            config.pop("forecaster"))
        return cls(forecaster, **config)


def _flat(positions: tf.Tensor) -> tf.Tensor:
    """[batch, length, 2] as [batch, 2 length]."""
    return tf.reshape(positions, [-1, 2 * positions.shape[1]])
