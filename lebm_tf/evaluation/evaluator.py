"""What an evaluator is, what it is told, and how it says no."""

import dataclasses
from typing import Any, Iterator, Protocol

import tensorflow as tf

from lebm_tf.datasets import ImageData
from lebm_tf.evaluation.text.language_model import LanguageModelConfig
from lebm_tf.mcmc import rng

FEATURES = ("classifier", "inception")
ANOMALY_SCORES = ("damc", "log_joint")
PROPOSALS = ("posterior", "encoder")
_AT_LEAST_ONE = (
    "num_draws", "classifier_steps", "likelihood_examples", "annealing_steps",
    "chain_steps", "num_paths", "perplexity_seeds")
_AT_LEAST_TWO = (
    "num_samples", "proposal_draws", "importance_samples", "annealing_chains",
    "num_chains")


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """How much of what to measure.

    Attributes:
        seed: Of all draws made while evaluating, any int.
        num_draws: Posterior draws averaged for each picture, >= 1.
        num_samples: Samples behind the Frechet distances, >= 2; published
            numbers take 50000, and 10000 for molecules.
        token_temperature: Of the tokens of sampled molecules, > 0; 0 takes
            the model's own.
        features: What distances compare: classifier (a small network trained
            on the labels of the data) or inception (as published).
        inception_weights: File of the Inception network; "" downloads that of
            Keras. See `evaluation.inception`.
        classifier_steps: Training steps of the classifier, >= 1.
        anomaly_score: damc (squared error + E + |z|^2 / 2, as published) or
            log_joint (-log p(x, z), with the scale of the likelihood).
        num_chains: Prior chains to diagnose, >= 2.
        chain_steps: Moves of the long chains, >= 1.
        likelihood_examples: Held-out pictures whose likelihood to estimate,
            >= 1.
        likelihood_proposal: What proposes latents of an example: posterior
            (a Gaussian fitted to exact posterior chains, slow but safe) or
            encoder (the encoder's, a little wider).
        proposal_draws: Posterior draws that the proposal of a picture is
            fitted to, >= 2; better several times the latent width.
        importance_samples: Draws from each proposal, >= 2.
        annealing_steps: Steps from the base to the prior, >= 1.
        annealing_chains: Chains that make them, >= 2.
        num_paths: Predictions of every agent, >= 1; published figures take
            20.
        miss_distance: How far the nearest prediction may end from the truth
            and not miss it, >= 0 in the unit of the data; 0 takes 2 m, or
            50 px.
        collision_distance: Distance below which two agents collide, >= 0; 0
            takes 0.2 m, or 5 px.
        watch_test: Whether measurements during training are made on the test
            part of trajectories, too: for what the best checkpoint by the
            test data would have got, which is no result. Nothing is chosen
            by it.
        perplexity_samples: Samples behind forward and reverse perplexity; 0
            takes as many as there are training sentences, as published.
        perplexity_seeds: Language models of each kind, >= 1.
        language_model: The language models behind them.
        language_model_dir: Folder that keeps those of real sentences, for
            other runs on the same data; "" trains them anew.
        transition_steps: Moves of prior chains at which sentences are shown,
            rising, each >= 0.

    Raises:
        ValueError: If a value is out of range.
    """
    seed: int = 0
    num_draws: int = 5
    num_samples: int = 5000
    token_temperature: float = 0.0
    features: str = "classifier"
    inception_weights: str = ""
    classifier_steps: int = 1000
    anomaly_score: str = "damc"
    num_chains: int = 100
    chain_steps: int = 2500
    likelihood_examples: int = 50
    proposal_draws: int = 1000
    importance_samples: int = 1000
    annealing_steps: int = 1000
    annealing_chains: int = 100
    num_paths: int = 20
    miss_distance: float = 0.0
    collision_distance: float = 0.0
    watch_test: bool = False
    likelihood_proposal: str = "posterior"
    perplexity_samples: int = 0
    perplexity_seeds: int = 1
    language_model: LanguageModelConfig = LanguageModelConfig()
    language_model_dir: str = ""
    transition_steps: tuple[int, ...] = (0, 10, 20, 40, 70, 100)

    def __post_init__(self):
        for smallest, names in ((1, _AT_LEAST_ONE), (2, _AT_LEAST_TWO)):
            for name in names:
                value = getattr(self, name)
                if value < smallest:
                    raise ValueError(
                        f"{name} must be >= {smallest}, got {value}.")
        for name in ("miss_distance", "collision_distance"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(
                    f"{name} must be >= 0, got {getattr(self, name)}.")
        if not self.token_temperature >= 0:
            raise ValueError("token_temperature must be > 0, or 0, got "
                             f"{self.token_temperature}.")
        if self.perplexity_samples < 0:
            raise ValueError("perplexity_samples must be >= 0, got "
                             f"{self.perplexity_samples}.")
        steps = self.transition_steps
        if not steps or steps[0] < 0 or not steps[-1] or (
                sorted(set(steps)) != list(steps)):
            raise ValueError("transition_steps must be numbers >= 0 that "
                             f"rise, the last above 0, got {steps}.")
        for name, known in (("likelihood_proposal", PROPOSALS),
                            ("features", FEATURES),
                            ("anomaly_score", ANOMALY_SCORES)):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, "
                                 f"got {value!r}.")


@dataclasses.dataclass(frozen=True, eq=False)
class Context:
    """What an evaluator knows besides the model.

    Attributes:
        data: The data; everything is measured on its held-out part.
        config: How much to measure.
        directory: Folder for pictures; "" makes none.
        anomaly_label: Class held out by `anomaly_split`; -1 for none.
        classifier_path: File that keeps the feature classifier between
            evaluations; "" trains it anew.
    """
    data: ImageData
    config: EvaluationConfig = EvaluationConfig()
    directory: str = ""
    anomaly_label: int = -1
    classifier_path: str = ""


Metric = tuple[str, float | int | str]


class Evaluator(Protocol):
    """One kind of measurement."""

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Yields flat names and values, as "frechet/samples", 29.4; writes
        its pictures, if any, under `context.directory`.

        Args:
            model: An `EnergyModel`.
            context: What else it may look at.

        Raises:
            InputError: If model or data lack what it needs.
        """


def has_energy(model: Any) -> bool:
    """Whether the prior is tilted by an energy, not just a base."""
    return hasattr(model.prior, "energy")


def num_layers(model: Any) -> int:
    """How many layers of latents a model has."""
    return len(tf.nest.flatten(model.generation.initializer.start(
        1, {}, rng.make_seed(0))))
