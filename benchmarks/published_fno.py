"""The published Fourier network and solver, plainly: for `navier_stokes.py` to compare."""

import torch
from equilibria.operators.fourier import ImplicitFNO
from torch import nn

__all__ = ["Plain", "anderson", "plain"]


class PlainSpectral(nn.Module):
    """rfft2, a complex matrix for each kept mode (modes rows from either end), irfft2."""

    def __init__(self, width: int, modes: int):
        super().__init__()
        self.modes = modes
        self.weight = nn.Parameter(torch.zeros(2, width, width, modes, modes, dtype=torch.cfloat))

    def forward(self, z):
        """S z for z (B, width, n, n)."""
        m, c = self.modes, torch.fft.rfft2(z)
        out = torch.zeros_like(c)
        out[:, :, :m, :m] = torch.einsum("bikl,iokl->bokl", c[:, :, :m, :m], self.weight[0])
        out[:, :, -m:, :m] = torch.einsum("bikl,iokl->bokl", c[:, :, -m:, :m], self.weight[1])
        return torch.fft.irfft2(out, s=z.shape[-2:])


class PlainLayer(nn.Module):
    """norm(W z + MLP(S z)) + injected, of convolutions."""

    def __init__(self, width: int, modes: int):
        super().__init__()
        self.spectral, self.norm = PlainSpectral(width, modes), nn.InstanceNorm2d(width)
        self.skip, self.hidden, self.out = (nn.Conv2d(width, width, 1) for _ in range(3))

    def mixed(self, z):
        """W z + MLP(S z)."""
        return self.skip(z) + self.out(nn.functional.gelu(self.hidden(self.spectral(z))))

    def forward(self, z, injected):
        """The layer at z, both (B, width, n, n)."""
        return self.norm(self.mixed(z)) + injected


class Plain(nn.Module):
    """The published network, with the names of `ImplicitFNO`'s weights.

    It has a damping too, which the paper does not have.
    """

    def __init__(self, model: ImplicitFNO):
        super().__init__()
        width, modes = model.width, model.output.spectral.modes
        self.scales = model.input_scale, model.output_scale
        self.lifting = nn.Conv2d(model.inputs, width, 1)
        self.blocks = nn.ModuleList([nn.ModuleList(PlainLayer(width, modes) for _ in range(3))])
        self.injections = nn.ModuleList([nn.Conv2d(width, 3 * width, 1)])
        self.output = PlainLayer(width, modes)
        self.output.norm = nn.Identity()
        self.project = nn.Sequential(nn.Conv2d(width, width, 1), nn.GELU(), nn.Conv2d(width, 1, 1))
        self._damping = nn.Parameter(torch.zeros(()))
        self.load_state_dict(plain(dict(model.state_dict()), modes))

    def encode(self, x):
        """q: what the input adds in each layer."""
        return self.injections[0](self.lifting(x / self.scales[0]))

    def forward(self, z, q):
        """G(z, q)."""
        first, second, third = self.blocks[0]
        a, b, c = q.chunk(3, 1)
        after = nn.functional.gelu(first(z, a))
        after = nn.functional.gelu(second(after, b))
        return torch.lerp(z, third(after, c), self._damping.sigmoid())

    def decode(self, z):
        """The answer y (B, n, n), of mean zero."""
        y = self.project(nn.functional.gelu(self.output.mixed(z)))[:, 0]
        return self.scales[1] * (y - y.mean((1, 2), keepdim=True))


def plain(tensors: dict[str, torch.Tensor], modes: int) -> dict[str, torch.Tensor]:
    """Weights (or gradients) of `ImplicitFNO` in the layout of `Plain`."""
    converted = {}
    for name, value in tensors.items():
        if name.endswith("spectral.weight"):
            width = value.shape[1]
            parts = value.view(modes, 2, modes, width, 2, width)
            real, imaginary = parts.permute(4, 1, 3, 5, 2, 0)  # each: end, from, to, k1, k2
            converted[name] = torch.complex(real.contiguous(), imaginary.contiguous())
        else:
            converted[name] = value[..., None, None] if value.dim() == 2 else value
    return converted


def anderson(f, z, steps: int, history: int = 5, ridge: float = 1e-4):
    """Anderson's method with ``steps`` evaluations of f.

    The weights, of sum 1, make the combined residual of the last points least: a bordered system.
    """
    points, images = (z.new_zeros(len(z), history, z[0].numel()) for _ in range(2))
    system = torch.zeros(len(z), history + 1, history + 1, device=z.device)
    system[:, 0, 1:] = system[:, 1:, 0] = 1
    right = torch.zeros(len(z), history + 1, 1, device=z.device)
    right[:, 0] = 1
    for k in range(steps):
        points[:, k % history] = z.flatten(1)
        images[:, k % history] = f(z).flatten(1)
        m = min(k + 1, history)
        r = images[:, :m] - points[:, :m]
        system[:, 1 : m + 1, 1 : m + 1] = r @ r.mT + ridge * torch.eye(m, device=z.device)
        c = torch.linalg.solve(system[:, : m + 1, : m + 1], right[:, : m + 1])[:, 1:]
        z = (c.mT @ images[:, :m]).view_as(z)
    return z
