"""Meaning of every metric, in one sentence, by evaluator."""

import fnmatch
from typing import Mapping

from lebm_tf.evaluation.evaluators import EVALUATORS

_LONG = "in the second half of the long run from p0"
_MALA = "in the second half of exact (MALA) chains after the short run"


def _annealed(what="log Z"):
    return {
        "log_z": "log Z of the prior, in nats, annealed from the base: a low "
        "estimate.",
        "log_z_importance": "log Z from draws of the base alone.",
        "log_z_reverse": "log Z annealed back to the base: a high estimate; "
        "near log_z if the chains mix.",
        "annealing_*": f"How {what} was annealed: steps, chains, and the share "
        "of accepted moves."}


def _stationary(run, where):
    return {
        f"{run}_energy": f"Mean energy {where}, in nats.",
        f"{run}_energy_scale": f"Standard deviation of the energy {where}.",
        f"{run}_square": f"Mean of z squared {where}; 1 under N(0, I).",
        f"{run}_accept_prob": f"Share of accepted moves {where}.",
        f"{run}_r_hat*": "R-hat over the dimensions of z (mean, or largest) "
        f"{where}: near 1 if all chains agree, also if all miss the same mode.",
        f"{run}_effective_sample_size*": "Number of independent draws (mean, "
        f"or smallest over the dimensions) that are worth the states {where}."}


# Evaluator -> pattern of a name without its prefix -> sentence. An exact name
# takes precedence, then ALL, then the first pattern that matches.
MEANINGS: Mapping[str, Mapping[str, str]] = {
    "anomaly": {
        "auprc*": "Area under the precision-recall curve with the class left "
        "out as positive; an uninformative score reaches the prevalence.",
        "auroc": "Probability that an anomalous image scores above a normal "
        "one; 0.5 by chance.",
        "mse_normal": "Squared error per pixel of reconstructed normal images.",
        "mse_anomaly": "Squared error per pixel of reconstructed anomalies.",
        "prevalence": "Share of anomalies among the held-out images.",
        "label": "The class left out of training.",
        "score": "The score that auprc and auroc rank by."},
    "bits": {
        "q*": "Bits per dimension under the transport without the energy, on "
        "held-out (or training) examples.",
        "p": "Bits per dimension with the energy, by the low estimate of "
        "log Z: the true value lies between p and p_high if the chains mix.",
        "p_high": "Bits per dimension with the energy, by the high estimate of "
        "log Z.",
        "p_training": "Bits per dimension with the energy, on training "
        "examples.",
        "importance_effective_sample_size": "Draws of the base that "
        "log_z_importance rests on; below several tens it is unreliable.",
        "energy_held_out": "Mean energy of held-out examples, in nats.",
        **_annealed()},
    "chains": {
        "num_steps": "Steps of the chains as trained.",
        "long_num_steps": "Steps of the long run.",
        "energy_start": "Mean energy of draws of p0, in nats.",
        "energy": "Mean energy after the chains as trained, in nats; if "
        "long_energy differs, the short run has not converged.",
        "displacement": "Distance that the chains as trained move, in units of "
        "z.",
        "accept_prob": "Share of accepted moves of the chains as trained; 1 "
        "without an accept step.",
        "square": "Mean of z squared after the chains as trained; 1 under "
        "N(0, I).",
        **_stationary("long", _LONG), **_stationary("mala", _MALA)},
    "codes": {
        "log_prob_prior": "Mean log density of held-out codes under the prior, "
        "in nats: compare it with log_prob_base and the fitted densities.",
        "log_prob_prior_low": "The same by the high estimate of log Z.",
        "log_prob_standard_error": "Standard error of log Z in log_prob_prior.",
        "log_prob_*": "Mean log density of the same codes under the base, or "
        "under a density fitted to training codes, for reference.",
        "frechet_prior": "Frechet distance in z between codes and samples of "
        "the prior.",
        "frechet_base": "Frechet distance in z between codes and draws of p0.",
        "posterior_*": "Moments of the codes of training examples.",
        "prior_*": "Moments of samples of the prior."},
    "frechet": {
        "frechet/samples": "Frechet distance in feature space between samples "
        "of the learned prior and real images.",
        "frechet/base_samples": "The same for images generated from draws of "
        "p0: what the learned prior improves on.",
        "kernel/samples": "Squared kernel distance to real images; 0 in "
        "expectation for a perfect model.",
        "kernel/base_samples": "The same for images from draws of p0.",
        "precision/*": "Fidelity: fraction in the manifold of real images.",
        "recall/*": "Coverage: fraction of real images in their manifold.",
        "frechet/reconstructions": "The distance of reconstructions: about the "
        "best that a prior for this generator can reach.",
        "*/real": "Real images against real images: a perfect model's value.",
        "frechet/classifier_accuracy": "Accuracy of the network of features.",
        "frechet/reference": "The images that samples are compared with.",
        "frechet/features": "The features that are compared; Frechet distances "
        "are FID only with Inception features."},
    "latents": {
        "active_units": "Dimensions of z whose posterior mean varies with x.",
        "latent_dim": "Dimensions of z.",
        "kl": "Mean KL divergence from q(z|x) to N(0, I), in nats.",
        "mutual_information": "Information of z about x, in nats.",
        "largest_mutual_information": "Upper bound of mutual_information: the "
        "logarithm of the number of examples.",
        "kl_of_all": "KL divergence from the codes of all examples to "
        "N(0, I), which a learned prior takes over."},
    "layers": {
        "change_*": "Mean squared difference per pixel between samples that "
        "differ in this layer alone.",
        "frechet_*": "Frechet distance in z of this layer between samples of "
        "the prior and codes of held-out images.",
        "base_frechet_*": "The same for draws of p0.",
        "*": "File of a figure."},
    "levels": {
        "bits_per_dim": "Bits per dimension of held-out images, a low "
        "estimate.",
        "bits_per_dim_high": "The same, a high estimate; unless both agree, "
        "the likelihood is unknown.",
        "auroc_*": "How well log p of this level separates held-out images "
        "from shuffled, flipped or uniform ones; 0.5 by chance.",
        "inpainting_mse": "Squared error per pixel of right halves drawn given "
        "left halves.",
        "inpainting_mse_of_mean": "The same error of the mean image.",
        "long_energy_*": "Drift of the energy of long chains of this level, in "
        "standard deviations; near 0 if they are stable.",
        "long_displacement_*": "Displacement per pixel of the long chains of "
        "this level.",
        "log_prob": "Mean log density of held-out images, in nats.",
        "num_steps": "Steps of the long chains.", **_annealed()},
    "likelihood": {
        "log_prob": "Mean log p(x) of held-out examples, in nats, by "
        "importance sampling.",
        "nll": "Mean of -log p(x) of held-out sequences, in nats.",
        "perplexity": "exp of the nats per token, the end included.",
        "bits_per_dim": "Bits per dimension, in units of pixel levels.",
        "log_prob_scale": "Standard deviation of log p(x) over examples.",
        "log_z_effective_sample_size": "Annealed chains that log Z rests on.",
        "effective_sample_size*": "Importance samples that an estimate of "
        "log p(x) rests on (mean, or smallest over examples); if small, "
        "log_prob is too low.",
        "posterior_accept_prob": "Share of accepted moves of the exact "
        "posterior chains that fit the proposal.",
        "importance_samples": "Importance samples per example.",
        **_annealed()},
    "molecules": {
        "valid/*": "Share of strings that are molecules, without correction; "
        "trivial molecules raise it.",
        "unique/*": "Share of distinct molecules among the valid ones.",
        "unique_of_all/*": "Distinct molecules, as a share of all strings.",
        "novel/*": "Share of the distinct molecules outside of the training "
        "data.",
        "novel_of_all/*": "Distinct molecules outside of the held-out data, as "
        "a share of all strings.",
        "internal_diversity/*": "Mean dissimilarity of pairs of molecules.",
        "*_wasserstein/*": "Distance of the distribution of this property from "
        "that of held-out molecules, in units of the property.",
        "*_missing/*": "Molecules for which this property is undefined.",
        "invalid_*": "Molecules of the data that RDKit does not read.",
        "token_temperature": "Temperature of the sampled tokens.",
        "*": "Mean of this property; real for the held-out molecules."},
    "out_of_distribution": {
        "auroc_*": "Probability that an image of the other data set scores "
        "above a held-out one; 0.5 by chance.",
        "auprc_*": "Area under the precision-recall curve with the other "
        "images as positives."},
    "perplexity": {
        "forward_*": "Perplexity (or nats per sentence) of samples under a "
        "language model of real sentences: fluency.",
        "reverse_*": "Perplexity (or nats per sentence) of real sentences "
        "under a language model of samples: fluency and coverage.",
        "word_divergence_*": "Divergence of the frequencies of words from "
        "those of training sentences.",
        "cut_*": "Share of samples without an end of sentence.",
        "real*": "Perplexity (or nats per sentence) of real test sentences "
        "under the same language model, for reference.",
        "*_dim": "Size of the language models."},
    "pictures": {"*": "File of a figure."},
    "reconstruction": {
        "mse": "Squared error per pixel of reconstructed held-out data; it "
        "does not judge the prior, since wide codes lower it.",
        "mse_largest": "The largest error of an example.",
        "energy": "Mean energy of the codes of held-out data, in nats.",
        "energy_scale": "Standard deviation of that energy."},
    "sampler": {
        "kl": "KL divergence from the flow to the prior, in nats, a low "
        "estimate; above about 1, chains after the flow are worthwhile.",
        "kl_reverse": "The same, a high estimate.",
        "effective_share": "Effective share of draws of the flow as importance "
        "samples of the prior; 1 if both are equal.", **_annealed()},
    "sentences": {
        "energy_*": "Mean energy of prior chains after as many steps, in nats.",
        "*": "File of texts."},
    "sequences": {
        "reconstruction_nll": "Nats of a held-out sequence given its code; "
        "papers call it likelihood, but it is not log p(x).",
        "reconstruction_perplexity": "exp of these nats per token.",
        "*_ended": "Share of samples with an end.",
        "*_distinct": "Share of distinct samples.",
        "*_mean_tokens": "Mean length of samples, in tokens.",
        "energy": "Mean energy of the codes of held-out sequences, in nats."},
    "symbols": {
        "accuracy": "Share of held-out examples whose class is right.",
        "nll": "Mean of -log p(y|x) on held-out examples, in nats.",
        "calibration_error": "Mean gap between confidence and accuracy.",
        "validation_accuracy": "Accuracy on the validation part.",
        "labelled_accuracy": "Accuracy on the labelled training examples.",
        "information": "Information of the symbol about x, in nats.",
        "homogeneity": "How well symbols determine labels, 0 to 1.",
        "homogeneity_by_chance": "The same of random clusters of these sizes.",
        "num_used": "Symbols that some held-out example takes.",
        "draws": "File of samples for each symbol."},
    "trajectories": {
        "constant_velocity/*": "The same metric of paths at constant velocity: "
        "what a model must beat.",
        "watched_test_*": "Error on the test part, watched during training; "
        "not a valid result.",
        "nearest_plan_ade": "Mean error of the path with the nearest plan, the "
        "protocol of the authors of LB-EBM; not comparable with minimum.",
        "nearest_plan_fde": "Error of the last position, same protocol.",
        "minimum_ade": "Mean error, smallest over the predicted paths: the "
        "common protocol.",
        "minimum_fde": "Error of the last position, smallest over the paths.",
        "miss_rate": "Share of agents without a path that ends near the truth.",
        "miss_distance": "Distance of the end beyond which a path misses.",
        "kde_nll": "-log density of the true path under the predictions.",
        "collision_rate": "Share of predictions in which agents collide.",
        "true_collision_rate": "The same of the true paths.",
        "collision_distance": "Distance below which two agents collide.",
        "energy": "Mean energy of the predicted latents, in nats.",
        "unit": "Unit of positions and errors."},
    "translation": {
        "*/cycle_error": "Mean absolute error after translation there and "
        "back.",
        "*/accuracy": "Share of translations that a classifier of the target "
        "domain assigns to their source label.",
        "*/accuracy_start": "The same without revision by chains.",
        "*/accuracy_identity": "The same of untranslated images.",
        "*/accuracy_real": "Accuracy of the classifier on its own domain.",
        "*/psnr": "Peak signal-to-noise ratio against the true counterpart, in "
        "dB.",
        "*/psnr_start": "The same without revision by chains.",
        "*/psnr_identity": "The same of untranslated images.",
        "*/teaching_distance": "Mean squared difference between revision and "
        "translation.",
        "*/energy_real": "Mean energy of images of the target domain.",
        "*/energy_start": "Mean energy of translations before revision.",
        "*/energy": "Mean energy of translations after revision.",
        "*/picture": "File of a figure."},
}
ALL = {
    "*_standard_error": "Standard error of the metric of that name.",
    "*_standard_deviation": "Standard deviation over the seeds.",
    "*num_*": "Size of the measurement.",
    "*seed": "Seed of the measurement."}
# What training writes itself.
TRAINING = {
    "run/family": "Family of the model.",
    "run/dataset": "The data set.",
    "run/step": "Training step of the model that was measured.",
    "evaluation/seconds": "Seconds of the evaluation after training.",
    "training/seconds": "Seconds of training.",
    "training/steps": "Training steps.",
    "training/rollbacks": "How often training returned to an earlier "
    "checkpoint after a divergence.",
    "training/*": "Why training returned to an earlier checkpoint."}


def evaluator_of(metric: str) -> str:
    """Name of the evaluator that yields a metric; "" if none does."""
    found = metric.split("/")[0]
    if found in EVALUATORS:
        return found
    return next((name for name, evaluator in EVALUATORS.items()
                 if evaluator.better(metric) is not None), "")


def meaning(metric: str) -> str:
    """Meaning of a metric in one sentence; "" if it is unknown.

    Args:
        metric: Its name, such as "frechet/samples"; the prefix "baseline/" or
            "backbone/" names another model that was measured beside.
    """
    owner = evaluator_of(metric)
    own = MEANINGS.get(owner, {}) if owner else TRAINING
    short = metric.removeprefix(f"{owner}/")
    for name in (metric, short):
        if name in own:
            return own[name]
    for pattern, sentence in {**(ALL if owner else {}), **own}.items():
        if any(fnmatch.fnmatchcase(name, pattern) for name in (metric, short)):
            return sentence
    if metric.startswith(("baseline/", "backbone/")):
        return meaning(metric.split("/", 1)[1])
    return ""
