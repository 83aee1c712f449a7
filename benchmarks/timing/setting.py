"""One network with its chains, as plain numbers that both programs read.

Standard library only: the program in PyTorch has neither TensorFlow nor
lebm_tf beside it.
"""

import dataclasses
from typing import Any, Mapping, NamedTuple


class Layer(NamedTuple):
    """A transposed convolution with biases, on square maps.

    Attributes:
        channels_in, channels_out: Widths of the maps.
        kernel, stride, padding: As PyTorch counts them.
        size_in: Side of the map that goes in.
    """
    channels_in: int
    channels_out: int
    kernel: int
    stride: int
    padding: int
    size_in: int

    @property
    def size_out(self) -> int:
        """Side of the map that comes out."""
        return (self.size_in - 1) * self.stride - 2 * self.padding + self.kernel


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is trained.

    Attributes:
        model: The fields of `families.image.ImageConfig`, as JSON has them.
        shape: (height, width, channels) of the pictures.
        batch_size: Examples of a step.
    """
    model: Mapping[str, Any]
    shape: tuple[int, ...]
    batch_size: int

    @property
    def latent_dim(self) -> int:
        """Width of z."""
        return self.model["latent_dim"]

    @property
    def energy_widths(self) -> tuple[int, ...]:
        """Widths of the energy network, from z to the one number."""
        return (self.latent_dim, *self.model["energy"]["hidden_units"], 1)

    @property
    def generator_layers(self) -> tuple[Layer, ...]:
        """The generator, from z to the picture; Pang et al. 2020."""
        made = self.model["generator"]
        widths = (*made["channels"], self.shape[-1])
        side = made["base_size"]
        layers = [Layer(self.latent_dim, widths[0], side, 1, 0, 1)]
        for i, (before, after) in enumerate(zip(widths, widths[1:])):
            last = i == len(widths) - 2
            doubles = not last or made["final_stride"] == 2
            layers.append(Layer(before, after, *(
                (4, 2, 1) if doubles else (3, 1, 1)), side))
            side = layers[-1].size_out
        return tuple(layers)

    def changed(self, batch_size: int | None = None, **sections) -> "Setting":
        """The setting with other numbers.

        Args:
            batch_size: If another one.
            **sections: Fields of the model; a dict changes some fields of a
                section, as prior={"num_steps": 3}.
        """
        model = dict(self.model)
        for name, value in sections.items():
            if isinstance(value, Mapping):
                value = {**model[name], **value}
            model[name] = value
        return dataclasses.replace(
            self, model=model, batch_size=batch_size or self.batch_size)

    def to_json(self) -> dict[str, Any]:
        """Of `Setting.from_json`."""
        return {"model": dict(self.model), "shape": list(self.shape),
                "batch_size": self.batch_size}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Setting":
        """What `to_json` gave, also through a file."""
        return cls(values["model"], tuple(values["shape"]),
                   values["batch_size"])
