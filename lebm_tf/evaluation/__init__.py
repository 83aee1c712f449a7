"""Metrics of a trained model, by name of the evaluator."""

from lebm_tf.evaluation.anomaly import AnomalyEvaluator
from lebm_tf.evaluation.evaluator import (
    Better, Context, EvaluationConfig, Evaluator, Metric)
from lebm_tf.evaluation.evaluators import (
    EVALUATORS, check, evaluate, find_metric)
from lebm_tf.evaluation.images.frechet import FrechetEvaluator
from lebm_tf.evaluation.images.gallery import PicturesEvaluator
from lebm_tf.evaluation.images.levels import LevelsEvaluator
from lebm_tf.evaluation.images.reconstruction import ReconstructionEvaluator
from lebm_tf.evaluation.latents.bits import BitsEvaluator
from lebm_tf.evaluation.latents.chains import ChainsEvaluator
from lebm_tf.evaluation.latents.codes import CodesEvaluator
from lebm_tf.evaluation.latents.hierarchy import LayersEvaluator
from lebm_tf.evaluation.latents.information import LatentsEvaluator
from lebm_tf.evaluation.latents.likelihood import LikelihoodEvaluator
from lebm_tf.evaluation.latents.out_of_distribution import (
    OutOfDistributionEvaluator)
from lebm_tf.evaluation.molecules.samples import MoleculesEvaluator
from lebm_tf.evaluation.plots import training_curves
from lebm_tf.evaluation.settings import Settings
from lebm_tf.evaluation.symbols.accuracy import SymbolsEvaluator
from lebm_tf.evaluation.text.perplexity import PerplexityEvaluator
from lebm_tf.evaluation.text.reports import SentencesEvaluator
from lebm_tf.evaluation.text.sequences import SequencesEvaluator
from lebm_tf.evaluation.trajectories.forecasts import TrajectoriesEvaluator

__all__ = [
    "EVALUATORS", "AnomalyEvaluator", "Better", "BitsEvaluator",
    "ChainsEvaluator", "CodesEvaluator", "Context", "EvaluationConfig",
    "Evaluator", "FrechetEvaluator", "LatentsEvaluator", "LayersEvaluator",
    "LevelsEvaluator", "LikelihoodEvaluator", "Metric", "MoleculesEvaluator",
    "OutOfDistributionEvaluator", "PerplexityEvaluator", "PicturesEvaluator",
    "ReconstructionEvaluator", "SentencesEvaluator", "SequencesEvaluator",
    "Settings", "SymbolsEvaluator", "TrajectoriesEvaluator", "check",
    "evaluate", "find_metric", "training_curves",
]
