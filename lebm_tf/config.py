"""Flags from dataclasses, dataclasses from flags.

Every field of a configuration is a flag: `prior.num_steps` is
`--prior_num_steps`. Flags are unset by default, so a number lives in one
place only, the dataclass.
"""

import dataclasses
import difflib
import os
import typing
from typing import Any, Iterable, Mapping

from absl import flags

from lebm_tf import precision
from lebm_tf.docstrings import attributes
from lebm_tf.errors import InputError
from lebm_tf.flag_values import convert

ON_DIVERGENCE = ("rollback", "stop")
STRATEGIES = ("none", "mirrored", "multi_worker")


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """What a run needs besides its model.

    Attributes:
        family: Name of the model family.
        dataset: digits, mnist, fashion_mnist, svhn_cropped, cifar10, celeb_a,
            npz:FILE or folder:DIR.
        data_dir: Where data sets lie; $LEBM_DATA_DIR if not given.
        image_size: Side to which pictures are resized; 0 keeps them.
        crop: Part of every picture, as top,left,height,width; empty keeps
            all of it.
        anomaly_label: Label to leave out of training, for anomaly detection;
            -1 leaves none out.
        workdir: Where the run keeps everything.
        train_steps: Training steps, >= 1.
        batch_size: Examples of a step, >= 1.
        seed: Of initial weights, order of the data and all chains.
        precision: float32, mixed_bfloat16 or mixed_float16: what the networks
            compute in. Weights, chains and losses are float32 in each.
        loss_scale: First factor > 0 on gradients of mixed_float16; it then
            follows what they can bear.
        strategy: none, mirrored (several devices of this machine) or
            multi_worker (several machines, see docs/cluster.md). The result
            is that of one device, up to rounding.
        replicas: Devices of strategy=mirrored; 0 takes all GPUs, or one CPU.
            The batch is cut into so many pieces.
        log_every: Steps between two rows of logs, >= 1.
        checkpoint_every: Steps between two checkpoints, >= 1.
        on_divergence: rollback goes back to a good checkpoint, draws other
            noise and halves the learning rate of the energy; stop stops.
        max_rollbacks: How often at most, >= 0; then training stops.
        max_energy: Bound >= 0 on the mean energy of a batch of chains, in
            nats; 0 for none, as for all bounds.
        max_energy_gap: Bound >= 0 on the difference of the mean energies of
            positive and negative chains, in nats.
        max_displacement: Bound >= 0 on how far chains move on average, as a
            Euclidean norm in units of z.
        max_gradient_norm: Bound >= 0 on the norm of the gradient of a part,
            before clipping.
        validation_fraction: Part of the training data, in [0, 1), that
            nothing is learned from; what is measured during training is
            measured on it, never on the test data.
        evaluate_every: Steps between two such measurements; 0 makes none.
        validation_evaluators: What to measure then; the evaluator of
            early_stop if empty, else evaluators.
        early_stop: Metric, as frechet/samples, whose best checkpoint is kept
            and restored for the final measurements; empty keeps none.
        patience: Measurements without a better one after which training
            stops; 0 never stops it.
        evaluators: What to measure after training; the family's if empty.
        baseline: Flagfile of a second run, trained on the same data in
            WORKDIR/baseline and measured beside this one.
    """
    family: str = "image"
    dataset: str = "digits"
    data_dir: str = ""
    image_size: int = 0
    crop: str = ""
    anomaly_label: int = -1
    workdir: str = ""
    train_steps: int = 10_000
    batch_size: int = 100
    seed: int = 0
    precision: str = "float32"
    loss_scale: float = 2.0**15
    strategy: str = "none"
    replicas: int = 0
    log_every: int = 50
    checkpoint_every: int = 1_000
    on_divergence: str = "rollback"
    max_rollbacks: int = 3
    max_energy: float = 1e4
    max_energy_gap: float = 500.0
    max_displacement: float = 1e3
    max_gradient_norm: float = 1e7
    validation_fraction: float = 0.0
    evaluate_every: int = 0
    validation_evaluators: tuple[str, ...] = ()
    early_stop: str = ""
    patience: int = 0
    evaluators: tuple[str, ...] = ()
    baseline: str = ""

    def __post_init__(self):
        for name in ("train_steps", "batch_size", "log_every",
                     "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be >= 1, got {getattr(self, name)}.")
        if self.checkpoint_every % self.log_every:
            raise ValueError(
                "checkpoint_every must be a multiple of log_every, got "
                f"{self.checkpoint_every} and {self.log_every}.")
        precision.check(self.precision, self.loss_scale)
        if self.strategy not in STRATEGIES:
            raise ValueError(f"strategy must be one of {', '.join(STRATEGIES)}"
                             f", got {self.strategy!r}.")
        if self.replicas > 1 and self.strategy != "mirrored":
            raise ValueError(
                f"replicas must be 0 with strategy {self.strategy}, got "
                f"{self.replicas}.")
        for name in ("image_size", "replicas", "evaluate_every", "patience",
                     "max_rollbacks", "max_energy",
                     "max_energy_gap", "max_displacement",
                     "max_gradient_norm"):
            if not getattr(self, name) >= 0:
                raise ValueError(
                    f"{name} must be >= 0, got {getattr(self, name)}.")
        if not 0 <= self.validation_fraction < 1:
            raise ValueError("validation_fraction must lie in [0, 1), got "
                             f"{self.validation_fraction}.")
        if self.evaluate_every and not self.validation_fraction:
            raise ValueError("evaluate_every must be 0 without a "
                             "validation_fraction > 0 to measure on, got "
                             f"{self.evaluate_every}.")
        for name, needed in (("early_stop", "evaluate_every"),
                             ("validation_evaluators", "evaluate_every"),
                             ("patience", "early_stop")):
            if getattr(self, name) and not getattr(self, needed):
                raise ValueError(f"{name} must be left out without {needed}, "
                                 f"got {getattr(self, name)!r}.")
        if self.early_stop and self.evaluate_every > self.train_steps:
            raise ValueError(
                "evaluate_every must be at most train_steps with early_stop, "
                f"got {self.evaluate_every} and {self.train_steps}.")
        if self.on_divergence not in ON_DIVERGENCE:
            raise ValueError(
                f"on_divergence must be one of {', '.join(ON_DIVERGENCE)}, "
                f"got {self.on_divergence!r}.")

    def resolved_data_dir(self) -> str:
        """The data folder, from the flag or the environment."""
        return self.data_dir or os.environ.get("LEBM_DATA_DIR", "")


@dataclasses.dataclass(frozen=True)
class Field:
    """One number of a configuration, and the flag that sets it.

    Attributes:
        flag: Name of the flag.
        path: Where the number is nested.
        type: int, float, bool, str, or a tuple of one of them.
        help: What it means.
        default: Its value where the flag is not given.
        family: The model family whose number it is; "" of every run.
    """
    flag: str
    path: tuple[str, ...]
    type: Any
    help: str
    default: Any = None
    family: str = ""


def fields(config_class: type, prefix: str = "", path: tuple[str, ...] = (),
           config: Any = None) -> list[Field]:
    """All fields of a dataclass, nested ones flattened.

    Args:
        config_class: The dataclass.
        prefix: Of the flags.
        path: Where it is nested.
        config: The instance that holds the defaults, if not a fresh one.
    """
    config = config_class() if config is None else config
    hints = typing.get_type_hints(config_class)
    described = attributes(config_class.__doc__ or "")
    found = []
    for field in dataclasses.fields(config_class):
        where, kind = (*path, field.name), hints[field.name]
        default = getattr(config, field.name)
        if dataclasses.is_dataclass(kind):
            found += fields(kind, f"{prefix}{field.name}_", where, default)
        else:
            found.append(Field(prefix + field.name, where, kind,
                               described.get(field.name, ""), default))
    return found


def define(values: flags.FlagValues, all_fields: Iterable[Field]) -> None:
    """Defines one flag for each field that has none yet."""
    for field in all_fields:
        if field.flag in values:
            continue
        if field.type is bool:
            flags.DEFINE_boolean(field.flag, None, field.help,
                                 flag_values=values)
        else:
            flags.DEFINE_string(field.flag, None, field.help,
                                flag_values=values)


def from_flags(config_class: type, values: flags.FlagValues,
               prefix: str = "", base: Any = None) -> Any:
    """The configuration `base`, or the default, with the flags given.

    Raises:
        InputError: If a value has the wrong type or is out of range.
    """
    changes: dict = {}
    for field in fields(config_class, prefix):
        text = values[field.flag].value
        if text is None:
            continue
        node = changes
        for name in field.path[:-1]:
            node = node.setdefault(name, {})
        node[field.path[-1]] = convert(field, text)
    return _changed(base or config_class(), changes, prefix)


def to_dict(config: Any) -> dict[str, Any]:
    """A configuration as JSON types."""
    return dataclasses.asdict(config)


def from_dict(config_class: type, values: Mapping[str, Any]) -> Any:
    """The configuration that `to_dict` wrote; missing fields keep defaults.

    Raises:
        InputError: If a field is unknown or out of range.
    """
    return _changed(config_class(), values, "")


def differences(old: Any, new: Any) -> dict[str, tuple[Any, Any]]:
    """Flag -> (old value, new value), where two configurations differ."""
    if type(old) is not type(new):
        return {"family": (type(old).__name__, type(new).__name__)}
    found = {}
    for field in fields(type(old), config=old):
        a, b = _get(old, field.path), _get(new, field.path)
        if a != b:
            found[field.flag] = (a, b)
    return found


def nearest(name: str, known: Iterable[str]) -> str:
    """' (nearest: a, b)', or nothing if no known name is near."""
    near = difflib.get_close_matches(name, list(known), 3, 0.5)
    return f" (nearest: {', '.join(near)})" if near else ""


def _changed(config, changes, prefix):
    hints = typing.get_type_hints(type(config))
    unknown = set(changes) - set(hints)
    if unknown:
        name = sorted(unknown)[0]
        raise InputError(
            f"{type(config).__name__} has no field {prefix}{name}"
            f"{nearest(name, hints)}.")
    values = {}
    for name, value in changes.items():
        if isinstance(value, Mapping):
            value = _changed(getattr(config, name), value, f"{prefix}{name}_")
        values[name] = tuple(value) if isinstance(value, list) else value
    try:
        return dataclasses.replace(config, **values)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"--{prefix}{error}") from error


def _get(config, path):
    for name in path:
        config = getattr(config, name)
    return config
