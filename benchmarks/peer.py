"""The same algorithm in PyTorch, for comparison: `benchmarks.speed` runs it.

    python -m benchmarks.peer   (a worker; a Python with torch is enough)

Written from the description of Pang et al. 2020, arXiv:2006.08205, as one
writes it in PyTorch: eager, float32, channels first, noise on, the gradient of
both chains with respect to z alone, Adam (0.5, 0.999). A `Variant` turns on
what makes PyTorch faster. Batches come from memory at no cost.
"""

import contextlib
import math

import numpy as np
import torch
from torch import nn

from benchmarks.timing.protocol import serve
from benchmarks.timing.setting import Setting

_NUM_PICTURES = 1_000
_TOKENS = ("eager", "bfloat16", "channels_last", "compile")


class Variant:
    """Which of PyTorch's own means of speed are used.

    Args:
        name: eager, or some of bfloat16 (autocast), channels_last and compile
            (torch.compile of the moves, with weights that take no gradient,
            and of the networks), with + between them. All but eager use the
            fused Adam.

    Raises:
        ValueError: If a word is unknown.
    """

    def __init__(self, name: str):
        words = name.split("+")
        for word in words:
            if word not in _TOKENS:
                raise ValueError(f"a variant must be made of "
                                 f"{', '.join(_TOKENS)}, got {word!r}.")
        self.name, self.fused = name, name != "eager"
        self.bfloat16, self.channels_last, self.compile = (
            word in words for word in _TOKENS[1:])


def activation(name: str) -> nn.Module:
    """GELU in its exact form, or a leaky ReLU of slope 0.2."""
    return {"gelu": nn.GELU(), "leaky_relu": nn.LeakyReLU(0.2)}[name]


def generator(setting: Setting) -> nn.Sequential:
    """z [batch, latent_dim, 1, 1] -> pictures [batch, channels, side, side]."""
    modules = []
    for layer in setting.generator_layers:
        made = nn.ConvTranspose2d(
            layer.channels_in, layer.channels_out, layer.kernel, layer.stride,
            layer.padding)
        nn.init.xavier_normal_(made.weight)
        modules += [made, activation(setting.model["generator"]["activation"])]
    return nn.Sequential(*modules[:-1], nn.Tanh())


def energy(setting: Setting) -> nn.Sequential:
    """z [batch, latent_dim] -> energies [batch, 1]."""
    widths, modules = setting.energy_widths, []
    for before, after in zip(widths, widths[1:]):
        modules += [nn.Linear(before, after),
                    activation(setting.model["energy"]["activation"])]
    return nn.Sequential(*modules[:-1])


class Peer:
    """Both networks, both chains, both optimizers.

    Args:
        setting: What is trained.
        variant: How.
        device: Of PyTorch.
    """

    def __init__(self, setting: Setting, variant: Variant = Variant("eager"),
                 device: str = "cpu"):
        self.setting, self.variant = setting, variant
        self.device = torch.device(device)
        torch.manual_seed(0)
        self.generator = generator(setting).to(self.device)
        self.energy = energy(setting).to(self.device)
        if variant.channels_last:
            self.generator.to(memory_format=torch.channels_last)
        self.optimizers = [torch.optim.Adam(
            network.parameters(), setting.model[f"{part}_optimizer"][
                "learning_rate"], (0.5, 0.999), fused=variant.fused or None)
            for part, network in (("generator", self.generator),
                                  ("energy", self.energy))]
        self.gradients = {"posterior": self._gradient(self.posterior_potential),
                          "prior": self._gradient(self.prior_potential)}
        if variant.compile:
            self.gradients = {
                name: torch.compile(torch.func.grad(potential), dynamic=False)
                for name, potential in (
                    ("posterior", self.posterior_potential),
                    ("prior", self.prior_potential))}
            self.generate, self.energy_of = (
                torch.compile(network, dynamic=False)
                for network in (self.generator, self.energy))
        else:
            self.generate, self.energy_of = self.generator, self.energy

    def autocast(self):
        """Weights are cast once within it."""
        if not self.variant.bfloat16:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def prior_potential(self, z):
        """E(z) + |z|^2 / 2, summed over the batch."""
        return self.energy(z).sum() + 0.5 * (z * z).sum()

    def posterior_potential(self, z, x):
        """The same + |x - g(z)|^2 / (2 sigma^2)."""
        error = x - self.generator(z[:, :, None, None])
        scale = self.setting.model["likelihood_scale"]
        return (0.5 / scale**2) * (error * error).sum() + self.prior_potential(
            z)

    def _gradient(self, potential):
        def gradient(z, *rest):
            with torch.enable_grad():
                z = z.detach().requires_grad_(True)
                return torch.autograd.grad(potential(z, *rest), z)[0]
        return gradient

    def chain(self, name, rest=(), start=None, noise=None):
        """Langevin: z <- z - d^2/2 grad U(z) + d N(0, I).

        Args:
            name: posterior or prior.
            rest: What the potential takes besides z.
            start: [batch, latent_dim]; drawn from N(0, I) if not given.
            noise: [steps, batch, latent_dim]; drawn if not given.
        """
        made, gradient = self.setting.model[name], self.gradients[name]
        d = made["step_size"]
        z = start if start is not None else torch.randn(
            self.setting.batch_size, self.setting.latent_dim,
            device=self.device)
        # A compiled move then takes no gradient of weights; the other one
        # turns gradients on where it needs them.
        with torch.no_grad(), self.autocast():
            for k in range(made["num_steps"]):
                z = z - 0.5 * d * d * gradient(z, *rest).float()
                z = z + d * (torch.randn_like(z) if noise is None else
                             noise[k])
        return z.detach()

    def losses(self, x, positive, negative):
        """(of g: squared error, summed, over the batch size; of E)."""
        with self.autocast():
            error = x - self.generate(positive[:, :, None, None])
            return ((error * error).sum() / len(x),
                    self.energy_of(positive).float().mean()
                    - self.energy_of(negative).float().mean())

    def train_step(self, x):
        """Posterior chain, prior chain, g, E; both losses, as tensors."""
        positive, negative = self.chain("posterior", (x,)), self.chain("prior")
        losses = self.losses(x, positive, negative)
        for optimizer, loss in zip(self.optimizers, losses):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return losses

    def sample(self):
        """Pictures: the prior chain, then g."""
        z = self.chain("prior")
        with torch.no_grad(), self.autocast():
            return self.generate(z[:, :, None, None]).float()

    def pictures(self, count):
        """Noise in the shape of the data."""
        height, width, channels = self.setting.shape
        x = torch.rand(count, channels, height, width, device=self.device)
        return self.shaped(2 * x - 1)

    def shaped(self, x):
        """Pictures in the layout of the variant."""
        return x.contiguous(memory_format=torch.channels_last) if (
            self.variant.channels_last) else x

    def load(self, arrays):
        """Takes weights as `benchmarks.timing.ours.known_step` has them."""
        for part, network in (("generator", self.generator),
                              ("energy", self.energy)):
            layers = [module for module in network
                      if hasattr(module, "weight")]
            for i, layer in enumerate(layers):
                kernel, bias = (arrays[f"weight/{part}/{i}/{kind}"]
                                for kind in ("kernel", "bias"))
                if part == "generator" and i == 0:
                    side = layer.weight.shape[2]
                    kernel = kernel.reshape(
                        len(kernel), side, side, -1).transpose(0, 3, 1, 2)
                elif part == "generator":
                    kernel = kernel.transpose(3, 2, 0, 1)
                else:
                    kernel = kernel.T
                with torch.no_grad():
                    layer.weight.copy_(torch.from_numpy(kernel.copy()))
                    layer.bias.copy_(torch.from_numpy(bias))


class Theirs:
    """A repetition of a task.

    Args:
        task: "kind", "variant", "device", "threads" (0: PyTorch's choice).
    """

    def __init__(self, task):
        if task["threads"]:
            torch.set_num_threads(task["threads"])
        self.device = task.get("device", "cpu")
        self.kind, self.task = task["kind"], task
        if self.kind == "product":
            kind = getattr(torch, task["precision"])
            self.factors = [torch.randn(task["size"], task["size"],
                                        device=self.device).to(kind)
                            for _ in range(2)]
            return
        self.setting = Setting.from_json(task["setting"])
        self.peer = Peer(self.setting, Variant(task["variant"]), self.device)
        rows = self.setting.batch_size
        if self.kind == "train":
            self.count = max(_NUM_PICTURES, rows) // rows
            self.batches = self.peer.pictures(self.count * rows)
            self.number = 0
        elif self.kind == "posterior":
            self.x = self.peer.pictures(rows)

    def run(self):
        """One repetition, over when the device has done it."""
        record = getattr(self, f"_{self.kind}")()
        if self.device != "cpu":
            torch.cuda.synchronize()
        return record

    def _train(self):
        rows = self.setting.batch_size
        first = self.number % self.count * rows
        self.number += 1
        losses = self.peer.train_step(self.batches[first:first + rows])
        return {"loss/generator": float(losses[0]),
                "loss/energy": float(losses[1])}

    def _prior(self):
        self.peer.chain("prior")

    def _posterior(self):
        self.peer.chain("posterior", (self.x,))

    def _sample(self):
        self.peer.sample()

    def _product(self):
        torch.mm(*self.factors)

    def _agreement(self):
        return differences(self.peer, dict(np.load(self.task["file"])),
                           self.task["tolerance"])

    def about(self):
        """Versions and threads."""
        about = {"torch": torch.__version__, "numpy": np.__version__,
                 "threads": torch.get_num_threads()}
        if self.device != "cpu":
            about["device"] = torch.cuda.get_device_name()
        return about


def differences(peer: Peer, arrays, tolerance: float) -> dict[str, float]:
    """How far the step that lebm_tf made is from this program's.

    Args:
        peer: With the setting of that step.
        arrays: Of `benchmarks.timing.ours.known_step`.
        tolerance: > 0, relative to the largest magnitude of an array.

    Raises:
        ValueError: If a chain or a loss differs by more.
    """
    peer.load(arrays)
    given = {name: torch.from_numpy(value).to(peer.device) for name, value in
             arrays.items() if name.split("/")[0] in ("x", "start", "noise")}
    x = peer.shaped(given["x"].permute(0, 3, 1, 2).contiguous())
    found = {f"end/{name}": peer.chain(
        name, (x,) if name == "posterior" else (), given[f"start/{name}"],
        given[f"noise/{name}"]) for name in ("posterior", "prior")}
    found.update(zip(("loss/generator", "loss/energy"), peer.losses(
        x, found["end/posterior"], found["end/prior"])))
    errors = {}
    for name, value in found.items():
        expected = arrays[name]
        errors[name] = float(np.max(np.abs(
            value.detach().cpu().numpy() - expected)) / np.max(np.abs(
                expected)))
        if not errors[name] <= tolerance or math.isnan(errors[name]):
            raise ValueError(f"{name} of both programs must agree to "
                             f"{tolerance:g}, got {errors[name]:.3g}.")
    return errors


if __name__ == "__main__":
    serve(Theirs)
