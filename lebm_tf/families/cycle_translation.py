"""Unpaired image translation between two domains, in both directions.

Cooperative cycle translation: Xie et al. 2021, arXiv:2103.04285. Each domain
has an energy, p(x) = exp(-E(x)) N(x; 0, rho^2 I) / Z, and a translator from
the other domain. Chains start at translations and revise them. Energies are
trained to tell revisions from data; translators are trained towards the
revisions, and to be inverse to each other (cycle consistency).

The defaults are the published settings in their consistent form: no gradient
flows through chains. The authors' programs (zilongzheng/CycleCoopNets) differ.
The release of June 2021 has through_chain, translators_last and
teaching_weight=1. The version before has translators_last, an energy of 3
layers with 1 output, 30 moves and a learning rate of 5e-4 for energies. Both
update the two energies with one Adam, whose bias correction therefore counts
two steps each time; here each energy has its own.
"""

import dataclasses
from typing import Annotated

import tensorflow as tf

from lebm_tf.assembly.components import ChainConfig, DataSpec, compiled, sampler
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.densities import EnergyPrior, Flat, StandardNormal, prior_target
from lebm_tf.kinds import PAIR
from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import initial_state
from lebm_tf.models import EnergyModel, OptimizerConfig, Role
from lebm_tf.networks import PictureEnergy, ResidualTranslator
from lebm_tf.objectives import (
    CycleError, EnergyContrast, Objective, OnRoles, PictureTeaching, Term)
from lebm_tf.ranges import (
    Checked, Interval, MinLen, NonNegativeFloat, NonNegativeInt, OneOf,
    PositiveFloat, PositiveInt)
from lebm_tf.samplers import Draw, FromData, FromRole, Mapped

LEARNS = ("both", "translators", "energies")
OTHER = {"a": "b", "b": "a"}


@dataclasses.dataclass(frozen=True)
class PictureEnergyConfig(Checked):
    """The energy of a domain, a convolutional network.

    Attributes:
        widths: Channels of the feature maps.
        kernel_sizes: Sides of the kernels.
        strides: Strides, 1 or 2 each; 2 halves the sides.
        num_outputs: Number of outputs whose sum is -E.
        weight_scale: Standard deviation of the initial kernels.
    """
    widths: Annotated[tuple[PositiveInt, ...], MinLen(1)] = (64, 128, 256, 512)
    kernel_sizes: tuple[PositiveInt, ...] = (3, 4, 4, 4)
    strides: tuple[Annotated[int, Interval(ge=1, le=2)], ...] = (1, 2, 2, 2)
    num_outputs: PositiveInt = 100
    weight_scale: PositiveFloat = 0.002

    def make(self, shape: tuple[int, ...], seed: int) -> PictureEnergy:
        return PictureEnergy(
            shape, self.widths, self.kernel_sizes, self.strides,
            self.num_outputs, self.weight_scale, seed)


@dataclasses.dataclass(frozen=True)
class TranslatorConfig(Checked):
    """A translator: residual blocks between strided convolutions.

    Attributes:
        width: Channels of the first feature maps; blocks have four times as
            many.
        num_blocks: Number of residual blocks.
        dropout: Dropout rate within the blocks.
        weight_scale: Standard deviation of the initial kernels.
    """
    width: PositiveInt = 64
    num_blocks: NonNegativeInt = 9
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.5
    weight_scale: PositiveFloat = 0.002

    def make(self, shape: tuple[int, ...], seed: int) -> ResidualTranslator:
        return ResidualTranslator(
            shape, self.width, self.num_blocks, self.dropout,
            self.weight_scale, seed)


@dataclasses.dataclass(frozen=True)
class CycleTranslationConfig(FamilyConfig):
    """Defaults of the official train.py, except its gradients through chains.

    Attributes:
        learns: both; translators (alone, by cycle consistency; a baseline); or
            energies (alone, with chains that start at the input images; another
            baseline). Settings of the half left out are ignored.
        reference_scale: rho, standard deviation of a pixel under the base.
        chain: Chains that revise a translation; as published, without noise.
        through_chain: Whether gradients flow through all moves, to translators
            and energies, as in the release.
        translators_last: Whether translators are updated after the energies, on
            newly drawn chains, as in the authors' programs; doubles the number
            of moves.
        teaching_weight: Weight of mean (x'' - x')^2; in theory 1 / (2 scale^2)
            with a scale of 0.3, in the release 1.
        cycle_weight_a: Weight of the mean absolute cycle error of domain a.
        cycle_weight_b: Weight of the mean absolute cycle error of domain b.
        identity_weight: Weight of the mean absolute difference between an image
            and its translation into its own domain; as published, 0.
        energy: The network of each energy.
        translator: The network of each translator.
        energy_optimizer: Optimizer of each energy.
        translator_optimizer: Optimizer of the translators.
    """
    learns: Annotated[str, OneOf(LEARNS)] = "both"
    reference_scale: PositiveFloat = 0.016
    chain: ChainConfig = ChainConfig(
        num_steps=20, step_size=0.002, noise_scale=0.0)
    through_chain: bool = False
    translators_last: bool = False
    teaching_weight: NonNegativeFloat = 1 / (2 * 0.3**2)
    cycle_weight_a: NonNegativeFloat = 10.0
    cycle_weight_b: NonNegativeFloat = 10.0
    identity_weight: NonNegativeFloat = 0.0
    energy: PictureEnergyConfig = PictureEnergyConfig()
    translator: TranslatorConfig = TranslatorConfig()
    energy_optimizer: OptimizerConfig = OptimizerConfig(
        2e-4, schedule="epochs", hold_epochs=50, decay_epochs=50,
        schedule_factor=0.05)
    translator_optimizer: OptimizerConfig = OptimizerConfig(
        2e-4, schedule="epochs", hold_epochs=50, decay_epochs=50,
        schedule_factor=0.0)

    kinds = (PAIR,)

    def validate(self):
        self.chain.leave_out("start", "restart_prob", "start_scale",
                             reason="of chains that start at translations")
        if self.through_chain and self.chain.kernel != "langevin":
            raise ValueError("through_chain needs chain_kernel=langevin, got "
                             f"{self.chain.kernel!r}.")
        if self.learns == "both":
            return  # Baselines may keep the other settings of the full model.
        self.leave_out("through_chain", "translators_last",
                       reason=f"with learns={self.learns}")


Config = CycleTranslationConfig
EVALUATORS = ("translation",)


def build(config: CycleTranslationConfig, data: DataSpec, *,
          batch_size: int = 1, seed: int = 0) -> EnergyModel:
    """Assembles and compiles the model.

    Roles: data_a and data_b; translation_b, of images of a; revision_b, the
    final states of chains from there; cycle_a, the translation back; and the
    same in the other direction; identity_a, translations of images of a into a.
    translate_ab and translate_ba answer requests, with the image as condition;
    generation is the first of them.

    Args:
        config: Configuration of the family.
        data: Specification of the data.
        batch_size: Images of each domain per step; learning rates count in
            epochs of the larger domain.
        seed: Seed of initial weights and all chains.

    Raises:
        ValueError: If the image sides are not divisible as the networks need.
    """
    seeds, has_energies = rng.seeds(seed), config.learns != "translators"
    has_translators = config.learns != "energies"
    priors = dict.fromkeys(OTHER, Flat())
    parts, objectives, roles, configs = {}, {}, {}, {}
    translators = dict.fromkeys(OTHER, tf.identity)  # Into a domain.
    for name in OTHER:
        if has_energies:
            priors[name] = EnergyPrior(
                StandardNormal(data.shape, config.reference_scale),
                config.energy.make(data.shape, seeds(f"energy_{name}")))
        if has_translators:
            translators[name] = config.translator.make(
                data.shape, seeds(f"translator_{OTHER[name]}{name}"))
    for name in OTHER:
        roles.update(_roles(config, name, translators[name], priors[name]))
        if has_energies:
            part = f"energy_{name}"
            parts[part] = priors[name].energy_network
            configs[part] = config.energy_optimizer
            # Chains use the sum of the outputs, losses their mean.
            objectives[part] = Objective((part,), {part: OnRoles(
                EnergyContrast(priors[name]), {
                    "positive": f"data_{name}",
                    "negative": f"revision_{name}"})}, {
                        part: 1 / config.energy.num_outputs})
    trained: tuple[str, ...] = ()
    if has_translators:
        for name in OTHER:
            roles[f"cycle_{name}"] = _mapped(
                config, translators[name], lambda draws, other=OTHER[name]:
                draws.states[f"translation_{other}"].position)
            if config.identity_weight:
                roles[f"identity_{name}"] = _mapped(
                    config, translators[name], lambda draws, name=name:
                    draws.batch["x"][name])
            parts[f"translator_{OTHER[name]}{name}"] = translators[name]
        trained = tuple(part for part in parts if part not in configs)
        configs.update(dict.fromkeys(trained, config.translator_optimizer))
        objectives["translators"] = _translators(config, trained)
    model = EnergyModel(
        parts=parts, objectives=objectives, roles=roles, seed=seed,
        turns=(tuple(part for part in parts if part not in trained), trained)
        if config.translators_last else ())
    return compiled(model, configs, data, batch_size)


def _roles(config, name, translator, prior) -> dict[str, Role]:
    """Roles of one domain: its data, translations into it, and their revisions.
    """
    other, dropout = OTHER[name], 0.0
    if config.learns != "energies":
        dropout = config.translator.dropout

    def observed(batch, seed):
        return Draw(batch["x"][name], initial_state(batch["x"][name]))

    def climb(model, draws):
        return prior_target(prior)

    def asked(batch):
        return batch if "condition" in batch else None
    made = Mapped(translator, lambda draws: draws.batch["x"][other], dropout)
    given = Mapped(translator, lambda draws: draws.batch["condition"])
    answer = f"translate_{other}{name}"
    roles = {f"data_{name}": Role(FromData(observed), prior=prior),
             f"translation_{name}": Role(made, prior=prior),
             answer: Role(given, view=asked, prior=prior)}
    if config.learns != "translators":
        chains = sampler(config.chain, FromRole(
            f"translation_{name}", keeps_gradient=config.through_chain))
        roles[f"revision_{name}"] = Role(dataclasses.replace(
            chains, is_reparameterized=config.through_chain), climb,
            prior=prior, every_turn=config.translators_last)
        roles[answer] = Role(
            sampler(config.chain, given), climb, asked, prior)
    if name == "b":
        roles["generation"] = roles[answer]
    return roles


def _mapped(config, translator, source) -> Role:
    """Role of the output of a translator for the states that `source` returns.
    """
    return Role(Mapped(translator, source, config.translator.dropout))


def _translators(config, parts) -> Objective:
    """Objective of the translators."""
    terms: dict[str, Term] = {}
    weights = {}
    for name in OTHER:
        terms[f"cycle_{name}"] = CycleError(f"data_{name}", f"cycle_{name}")
        weights[f"cycle_{name}"] = getattr(config, f"cycle_weight_{name}")
        if config.identity_weight:
            terms[f"identity_{name}"] = CycleError(
                f"data_{name}", f"identity_{name}")
            weights[f"identity_{name}"] = config.identity_weight
        if config.learns == "both":
            terms[f"teaching_{name}"] = PictureTeaching(
                f"translation_{name}", f"revision_{name}")
            weights[f"teaching_{name}"] = config.teaching_weight
    return Objective(parts, terms, weights)
