"""Configurations of latents with several layers."""

import dataclasses
from typing import Annotated

import keras

from lebm_tf.densities import TopDownGaussian
from lebm_tf.mcmc import rng
from lebm_tf.networks import (
    EnergyMLP, JoinedEnergy, LadderEncoder, LadderGenerator, LayerEnergies,
    VectorMLP)
from lebm_tf.networks.activations import ACTIVATIONS
from lebm_tf.networks.ladder import MERGES
from lebm_tf.ranges import Checked, MinLen, OneOf, PositiveFloat, PositiveInt

ENERGIES = ("layerwise", "concatenated")


@dataclasses.dataclass(frozen=True)
class LayersConfig(Checked):
    """Layers of latents, from the one next to the data upwards.

    Attributes:
        latent_dims: Width of every layer; z1, next to the data, comes first.
        energy: layerwise (a sum of one energy per layer) or concatenated (one
            energy of all layers).
        energy_units: Width of the hidden layers of each energy; one number
            applies to all.
        energy_layers: Number of hidden layers of each energy, likewise.
        energy_activation: Activation of the energies.
        energy_spectral_norm: Whether every kernel of an energy is divided by
            its largest singular value.
        base_units: Width of the hidden layers between each layer of latents and
            the one below; one number applies to all.
        base_layers: Number of these hidden layers, likewise.
        scale_floor: Minimum standard deviation of a layer given the next one.
        top_scale: Standard deviation of the top layer; 1.01 in the authors'
            code, which also adds the floor to it.
    """
    latent_dims: Annotated[tuple[PositiveInt, ...], MinLen(2)] = (128, 100)
    energy: Annotated[str, OneOf(ENERGIES)] = "layerwise"
    energy_units: Annotated[tuple[PositiveInt, ...], MinLen(1)] = (200, 100)
    energy_layers: Annotated[tuple[PositiveInt, ...], MinLen(1)] = (3, 2)
    energy_activation: Annotated[str, OneOf(ACTIVATIONS)] = "leaky_relu"
    energy_spectral_norm: bool = False
    base_units: Annotated[tuple[PositiveInt, ...], MinLen(1)] = (200,)
    base_layers: Annotated[tuple[PositiveInt, ...], MinLen(1)] = (4,)
    scale_floor: PositiveFloat = 0.01
    top_scale: PositiveFloat = 1.0

    def validate(self):
        for name in ("energy_units", "energy_layers"):
            if self.energy == "layerwise":
                self.check_one_each(name, getattr(self, name))
            elif len(getattr(self, name)) != 1:
                raise ValueError(
                    f"{name} must hold 1 value with energy=concatenated, got "
                    f"{len(getattr(self, name))}.")
        for name in ("base_units", "base_layers"):
            self.check_one_each(name, getattr(self, name), 1)

    def check_one_each(self, name: str, values: tuple, fewer: int = 0
                       ) -> None:
        """Raises ValueError unless `values` is empty, or has one value for all
        or one per layer (with `fewer=1`, one per gap between layers)."""
        count = len(self.latent_dims) - fewer
        if len(values) not in (0, 1, count):
            place = "places between layers" if fewer else "layers"
            raise ValueError(
                f"{name} must hold 1 value or one for each of the {count} "
                f"{place} of latent_dims, got {len(values)}.")

    def make_energy(self, seed: int) -> keras.layers.Layer:
        """Builds the energy network, (z1, ..., zL) -> [batch]."""
        if self.energy == "concatenated":
            return JoinedEnergy(self._energy(
                sum(self.latent_dims), 0, rng.named(seed, "layer")))
        return LayerEnergies([
            self._energy(width, i, rng.named(seed, "layer", i))
            for i, width in enumerate(self.latent_dims)])

    def _energy(self, width, i, seed):
        return EnergyMLP(width, _hidden(
            self.energy_units, self.energy_layers, i), self.energy_activation,
            seed, spectral_norm=self.energy_spectral_norm)

    def of_each(self, values: tuple) -> tuple:
        """Repeats a single value for every layer; other tuples are unchanged.
        """
        return values * len(self.latent_dims) if len(values) == 1 else values

    def make_base(self, seed: int) -> TopDownGaussian:
        """Builds the top-down Gaussians."""
        widths = self.latent_dims
        return TopDownGaussian(
            [self._between(above, below, i, rng.named(seed, "layer", i))
             for i, (below, above) in enumerate(zip(widths, widths[1:]))],
            widths[-1], self.top_scale, self.scale_floor)

    def upward(self, seed: int) -> list[VectorMLP]:
        """Builds networks of the same sizes from every layer to the one above.
        """
        widths = self.latent_dims
        return [self._between(below, above, i, rng.named(seed, "layer", i))
                for i, (below, above) in enumerate(zip(widths, widths[1:]))]

    def _between(self, source, target, i, seed):
        return VectorMLP(source, target, _hidden(
            self.base_units, self.base_layers, i), num_outputs=2, seed=seed)


def _hidden(units, layers, i):
    """Widths of the hidden layers of network i."""
    return (units[i if len(units) > 1 else 0],) * layers[
        i if len(layers) > 1 else 0]


@dataclasses.dataclass(frozen=True)
class LadderConfig(Checked):
    """Generator and encoder with a feature map for every layer of latents.

    Defaults of the SVHN setting of train_fid.py of Cui et al. 2023,
    arXiv:2310.09604.

    Attributes:
        merge: How a layer's feature map is merged with that from above:
            concatenate or add.
        channels: Channels of the feature maps, next to the image first: one per
            layer with merge=concatenate, one fewer with merge=add.
        hidden_units: Width of the dense layers at the top of the generator.
        encoder_hidden_units: Width of the dense layers of the encoder.
        base_size: Side of the smallest feature map; every layer except the top
            doubles it.
    """
    merge: Annotated[str, OneOf(MERGES)] = "concatenate"
    channels: Annotated[tuple[PositiveInt, ...], MinLen(1)] = (
        128, 256, 256, 512, 1024)
    hidden_units: PositiveInt = 2048
    encoder_hidden_units: PositiveInt = 1024
    base_size: PositiveInt = 2

    def make_generator(self, latent_dims: tuple[int, ...],
                       shape: tuple[int, ...], seed: int) -> LadderGenerator:
        """Builds (z1, ..., zL) -> image; raises ValueError if the shape does
        not fit."""
        return LadderGenerator(
            latent_dims, shape, self.channels, self.hidden_units,
            self.base_size, self.merge, seed=seed)

    def make_encoder(self, latent_dims: tuple[int, ...],
                     shape: tuple[int, ...], seed: int) -> LadderEncoder:
        """Builds image -> means and log scales of all layers."""
        return LadderEncoder(
            latent_dims, shape, self.channels[:len(latent_dims) - 1],
            self.encoder_hidden_units, seed=seed)
