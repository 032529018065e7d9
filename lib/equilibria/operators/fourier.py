"""Fourier neural operators, explicit and implicit, on a torus (paper, section 5.2).

==================  ======================================================================================================
``x``               forcing (B, inputs, n, n); ``y`` vorticity (B, n, n); any n of at least 2 modes + 2
``z``               latent state (B, width, n * n), z* = G(z*, q) with q = encode(x); y = decode(z*)
layer               z -> gelu(norm(W z + MLP(S z)) + U_i x + b_i), three a block; the last one without the gelu
``S``               spectral convolution: a complex width x width matrix for each of the modes k1 in [-m, m), k2 in [0, m)
``G(z, q)``         z + d (block(z, q) - z), d = damping in (0, 1), learned; d = 1, no damping, is kept
==================  ======================================================================================================

The instance norm bounds what the block makes of any z, so iterates stay bounded; the input is added behind it and keeps its size. The domain is
periodic, so nothing is padded, and nothing knows n: weights trained on one grid act on another.

S needs few frequencies, so its transforms are four products with (n, 2 m) matrices of cosines and sines, in real numbers throughout: on a CPU
faster than FFTs of whole images, whose coefficients would nearly all be thrown away, and matrix products are what accelerators do best.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm

__all__ = ["ExplicitFNO", "ImplicitFNO", "SpectralConvolution"]


def _check_counts(**counts: int) -> None:
    for name, value in counts.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be an int of at least 1, got {value!r}")


def _transforms(n: int, m: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The matrices of the transforms along x2 and x1, and back, (n, 2 m), (2 n, 4 m), (4 m, 2 n), (2 m, n), float64."""
    turn = 2 * math.pi / n * torch.arange(n, dtype=torch.float64)
    l, k = torch.arange(m), torch.cat([torch.arange(m), torch.arange(-m, 0)])  # noqa: E741
    cos, sin = torch.cos(turn[:, None] * l), torch.sin(turn[:, None] * l)
    c, s = torch.cos(turn[:, None] * k), torch.sin(turn[:, None] * k)
    twice = torch.where(l == 0, 1.0, 2.0).double() / n**2  # a real field: k2 stands for -k2 too
    return (
        torch.cat([cos, -sin], 1),
        torch.cat([torch.cat([c, -s], 1), torch.cat([s, c], 1)]),
        torch.cat([torch.cat([c, s], 0).T, torch.cat([-s, c], 0).T]),
        torch.cat([(cos * twice).T, (-sin * twice).T]),
    )


class SpectralConvolution(nn.Module):
    """S: (B, width, n * n) -> the same, the Fourier coefficients (k1, k2) times a complex matrix each, all others dropped.

    2 modes^2 width^2 complex weights, kept as [real, imaginary] along the last dimension, standard deviation 1 / sqrt(2 width) a part at the start.
    Raises ValueError for a width or modes below 1, and for an n below 2 modes + 2.
    """

    def __init__(self, width: int, modes: int):
        super().__init__()
        _check_counts(width=width, modes=modes)
        self.width, self.modes = width, modes
        self.weight = nn.Parameter(
            1 / math.sqrt(2 * width) * torch.randn(2 * modes * modes, width, 2 * width)
        )
        self._bases: dict = {}

    def _basis(self, n: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """`_transforms` in the dtype and on the device of `like`, made once."""
        key = (n, like.dtype, like.device)
        if key not in self._bases:
            if n < 2 * self.modes + 2:
                raise ValueError(f"n must be at least 2 modes + 2 = {2 * self.modes + 2}, got {n}")
            with torch.inference_mode(False):  # else no gradient could ever pass this grid again
                self._bases[key] = tuple(
                    basis.to(like.device, like.dtype) for basis in _transforms(n, self.modes)
                )
        return self._bases[key]

    def forward(self, z: Tensor, mix: Tensor | None = None) -> Tensor:
        """mix: real matrix (width, width) to apply to the channels of the result; on the few coefficients it costs next to nothing."""
        B, C, m = z.shape[0], z.shape[1], self.modes
        n = math.isqrt(z.shape[2])
        if n * n != z.shape[2] or self.width != C:
            raise ValueError(f"z must have shape (B, {self.width}, n * n), got {tuple(z.shape)}")
        along2, along1, back1, back2 = self._basis(n, z)
        a = (z.reshape(-1, n) @ along2).view(B * C, n, 2, m).permute(0, 3, 2, 1).reshape(
            -1, 2 * n
        ) @ along1  # (B C m, re and im of 2 m)
        a = a.view(B, C, m, 2, 2 * m).permute(2, 4, 3, 0, 1).reshape(2 * m * m, 2 * B, C)
        a = torch.bmm(a, self.weight).view(
            -1, 2, B, 2, C
        )  # real and imaginary part of z times those of the weight
        a = torch.stack(
            [a[:, 0, :, 0] - a[:, 1, :, 1], a[:, 0, :, 1] + a[:, 1, :, 0]], 1
        )  # (2 m m, 2, B, C)
        a = a if mix is None else a @ mix.mT
        a = (
            a.view(m, 2 * m, 2, B, C).permute(3, 4, 0, 2, 1).reshape(-1, 4 * m) @ back1
        )  # (B C m, re and im of n)
        return (a.view(B * C, m, 2, n).permute(0, 3, 2, 1).reshape(-1, 2 * m) @ back2).view(
            B, C, n * n
        )


class _Layer(nn.Module):
    """norm(W z + MLP(S z)) + injected: the MLP has one hidden layer of the same width; W and the MLP act point by point."""

    def __init__(self, width: int, modes: int):
        super().__init__()
        self.spectral = SpectralConvolution(width, modes)
        self.skip, self.hidden, self.out = (nn.Linear(width, width) for _ in range(3))

    def mixed(self, z: Tensor) -> Tensor:
        """W z + MLP(S z): as few passes over z as it takes."""
        h = gelu(self.spectral(z, self.hidden.weight) + self.hidden.bias[:, None])
        linear = torch.baddbmm(
            (self.skip.bias + self.out.bias)[:, None], self.skip.weight.expand(len(z), -1, -1), z
        )
        return torch.baddbmm(linear, self.out.weight.expand(len(z), -1, -1), h)

    def forward(self, z: Tensor, injected: Tensor) -> Tensor:
        return (
            layer_norm(self.mixed(z), z.shape[-1:]) + injected
        )  # over space, one channel at a time: an instance norm


def _pointwise(linear: nn.Linear, z: Tensor) -> Tensor:
    """A linear map of the channels of z (B, C, n * n), at each point."""
    return torch.baddbmm(linear.bias[:, None], linear.weight.expand(len(z), -1, -1), z)


class _FNO(nn.Module):
    """What both models share: lifting, injections, blocks of three layers, output layer and output MLP."""

    def __init__(
        self,
        *,
        width: int,
        modes: int,
        depth: int,
        inputs: int,
        input_scale: float,
        output_scale: float,
    ):
        super().__init__()
        _check_counts(width=width, modes=modes, depth=depth, inputs=inputs)
        for name, value in (("input_scale", input_scale), ("output_scale", output_scale)):
            if not 0 < value < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {value!r}")
        self.width, self.inputs, self.input_scale, self.output_scale = (
            width,
            inputs,
            input_scale,
            output_scale,
        )
        self.lifting = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.ModuleList(_Layer(width, modes) for _ in range(3)) for _ in range(depth)
        )
        self.injections = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(depth))
        self.output = _Layer(width, modes)
        self.project = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1))

    def lift(self, x: Tensor) -> Tensor:
        """(B, inputs, n, n) -> (B, width, n * n), in units of input_scale."""
        if x.dim() != 4 or x.shape[1] != self.inputs or x.shape[2] != x.shape[3] or not len(x):
            raise ValueError(f"x must have shape (B, {self.inputs}, n, n), got {tuple(x.shape)}")
        if x.dtype != self.lifting.weight.dtype:
            raise TypeError(
                f"x must have the weights' dtype {self.lifting.weight.dtype}, got {x.dtype}"
            )
        return _pointwise(self.lifting, (x / self.input_scale).flatten(2))

    def block(self, index: int, z: Tensor, injected: Tensor) -> Tensor:
        """injected: (B, 3 width, n * n)."""
        for layer, part in zip(self.blocks[index], injected.chunk(3, 1)):
            z = layer(z, part)
            if layer is not self.blocks[index][-1]:
                z = gelu(z)
        return z

    def decode(self, z: Tensor) -> Tensor:
        """Y (B, n, n) of a latent state, of mean zero."""
        n = math.isqrt(z.shape[2])
        y = _pointwise(
            self.project[2], gelu(_pointwise(self.project[0], gelu(self.output.mixed(z))))
        )[:, 0]
        return self.output_scale * (y - y.mean(1, keepdim=True)).view(-1, n, n)


class ExplicitFNO(_FNO):
    """y = decode(block_K(... block_1(lift(x), x) ..., x)): K = depth blocks, each with its own weights and the input injected.

    Depth 1 is the explicit model of the paper, with the weights of `ImplicitFNO` less one (its damping); more depth or width is its FNO++.
    """

    def __init__(
        self,
        *,
        width: int = 32,
        modes: int = 12,
        depth: int = 1,
        inputs: int = 2,
        input_scale: float = 1.0,
        output_scale: float = 1.0,
    ):
        super().__init__(
            width=width,
            modes=modes,
            depth=depth,
            inputs=inputs,
            input_scale=input_scale,
            output_scale=output_scale,
        )

    def forward(self, x: Tensor) -> Tensor:
        z = lifted = self.lift(x)
        for index, injection in enumerate(self.injections):
            z = self.block(index, z, _pointwise(injection, lifted))
        return self.decode(z)


class ImplicitFNO(_FNO):
    """G(z, q) = z + d (block(z, q) - z) for `equilibria.solve`, with q = encode(x) (B, 3 width, n * n), y = decode(z).

    2.376 million real weights at width 32 and 12 modes, as published.

    >>> import equilibria as eq
    >>> model, x = ImplicitFNO(width=4, modes=3), torch.randn(2, 2, 16, 16)
    >>> q = model.encode(x)
    >>> solution = eq.solve(model, model.start(q), q, max_steps=20)
    >>> model.decode(solution.y).shape
    torch.Size([2, 16, 16])
    """

    def __init__(
        self,
        *,
        width: int = 32,
        modes: int = 12,
        inputs: int = 2,
        input_scale: float = 1.0,
        output_scale: float = 1.0,
        damping: float = 0.5,
    ):
        super().__init__(
            width=width,
            modes=modes,
            depth=1,
            inputs=inputs,
            input_scale=input_scale,
            output_scale=output_scale,
        )
        if not 0 < damping <= 1:
            raise ValueError(f"damping must lie in (0, 1], got {damping!r}")
        self._damping = (
            nn.Parameter(torch.tensor(math.log(damping / (1 - damping)))) if damping < 1 else None
        )

    @property
    def damping(self) -> Tensor:
        return torch.ones(()) if self._damping is None else self._damping.sigmoid()

    def encode(self, x: Tensor) -> Tensor:
        """q: what the input adds in each layer, computed once for all iterations."""
        return _pointwise(self.injections[0], self.lift(x))

    def start(self, q: Tensor) -> Tensor:
        """z_0 = 0."""
        return q.new_zeros(len(q), self.width, q.shape[2])

    def forward(self, z: Tensor, q: Tensor) -> Tensor:
        moved = self.block(0, z, q)
        return moved if self._damping is None else torch.lerp(z, moved, self.damping)
