"""Fourier neural operators, explicit and implicit, on a torus (paper, section 5.2).

============  =====================================================================================
``x``         forcing, (B, inputs, n, n)
``y``         vorticity, (B, n, n); any n of at least 2 modes + 2
``z``         latent state, (B, width, n * n)
``q``         encode(x), (B, 3 width, n * n): what the input adds in each layer
``z*``        the fixed point G(z*, q); y = decode(z*)
layer         z -> gelu(norm(W z + MLP(S z)) + U_i x + b_i), three per block, the last without gelu
``S``         spectral convolution: one complex width x width matrix for each of the modes
              k1 in [-m, m), k2 in [0, m); all other modes are dropped
``G(z, q)``   z + d (block(z, q) - z) with a learned damping d in (0, 1); d = 1 is not learned
============  =====================================================================================

The instance norm bounds what the block makes of any z, so iterates stay bounded; the input is added
behind it and keeps its size. The domain is periodic, so nothing is padded, and nothing knows n:
weights trained on one grid act on another.

S needs few frequencies, so its transforms are four products with (n, 2 m) matrices of cosines and
sines, in real numbers throughout. On a CPU this is faster than FFTs of whole images, whose
coefficients would nearly all be thrown away; and accelerators do matrix products best.
"""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm

from equilibria.checks import is_real, require, require_damping, require_int

__all__ = ["ExplicitFNO", "ImplicitFNO", "SpectralConvolution"]


def _check_counts(**counts: int) -> None:
    for name, value in counts.items():
        require_int(name, value, least=1)


# ----------------------------------------------------------------------------- spectral convolution
class _Transforms(NamedTuple):
    """Matrices that take n values to 2 m coefficients and back, along each dimension.

    A coefficient is a pair of real numbers, its real and its imaginary part.
    """

    along2: Tensor  # (n, 2 m): real values of x2 -> coefficients l = 0 ... m - 1
    along1: Tensor  # (2 n, 4 m): complex values of x1 -> coefficients k = 0 ... m - 1, -m ... -1
    back1: Tensor  # (4 m, 2 n)
    back2: Tensor  # (2 m, n)


def _transforms(n: int, m: int) -> _Transforms:
    """The transforms of n points and m modes, float64."""
    angle = 2 * math.pi / n * torch.arange(n, dtype=torch.float64)
    l = torch.arange(m)  # noqa: E741  the pair (k, l)
    k = torch.cat([torch.arange(m), torch.arange(-m, 0)])
    cos2, sin2 = torch.cos(angle[:, None] * l), torch.sin(angle[:, None] * l)
    cos1, sin1 = torch.cos(angle[:, None] * k), torch.sin(angle[:, None] * k)
    # of a real field, l stands for -l too
    weight = torch.where(l == 0, 1.0, 2.0).double() / n**2
    # exp(-i a) (re + i im) = (cos re + sin im) + i (cos im - sin re)
    of_real = torch.cat([cos1, -sin1], 1)
    of_imaginary = torch.cat([sin1, cos1], 1)
    # exp(i a) (re + i im) = (cos re - sin im) + i (cos im + sin re)
    back_of_real = torch.cat([cos1, sin1], 0).T
    back_of_imaginary = torch.cat([-sin1, cos1], 0).T
    return _Transforms(
        along2=torch.cat([cos2, -sin2], 1),
        along1=torch.cat([of_real, of_imaginary]),
        back1=torch.cat([back_of_real, back_of_imaginary]),
        back2=torch.cat([(cos2 * weight).T, (-sin2 * weight).T]),
    )


class SpectralConvolution(nn.Module):
    """S: (B, width, n * n) -> the same; a complex matrix acts on each of the lowest coefficients.

    It has 2 modes^2 width^2 complex weights, kept as [real, imaginary] along the last dimension;
    each part starts with standard deviation 1 / sqrt(2 width).
    Raises TypeError for a width or modes that is no int, and ValueError where they are below 1 or
    n is below 2 modes + 2.
    """

    def __init__(self, width: int, modes: int):
        super().__init__()
        _check_counts(width=width, modes=modes)
        self.width = width
        self.modes = modes
        std = 1 / math.sqrt(2 * width)
        self.weight = nn.Parameter(std * torch.randn(2 * modes * modes, width, 2 * width))
        self._made: dict[tuple[int, torch.dtype, torch.device], _Transforms] = {}

    def _transforms_for(self, n: int, like: Tensor) -> _Transforms:
        """`_transforms` in the dtype and on the device of ``like``, made once."""
        key = (n, like.dtype, like.device)
        if key not in self._made:
            least = 2 * self.modes + 2
            require(n >= least, "n", n, f"at least 2 modes + 2 = {least}")
            with torch.inference_mode(False):  # else no gradient could ever pass this grid again
                matrices = [a.to(like.device, like.dtype) for a in _transforms(n, self.modes)]
                self._made[key] = _Transforms(*matrices)
        return self._made[key]

    def forward(self, z: Tensor, mix: Tensor | None = None) -> Tensor:
        """S z, with its channels multiplied by the real matrix ``mix`` (width, width) if given.

        On the few coefficients the product costs next to nothing.
        """
        B, C, m = z.shape[0], z.shape[1], self.modes
        n = math.isqrt(z.shape[2])
        if n * n != z.shape[2] or self.width != C:
            raise ValueError(f"z must have shape (B, {self.width}, n * n), got {tuple(z.shape)}")
        matrices = self._transforms_for(n, z)

        # to coefficients: along x2, then along x1
        a = (z.reshape(-1, n) @ matrices.along2).view(B * C, n, 2, m)
        a = a.permute(0, 3, 2, 1).reshape(-1, 2 * n) @ matrices.along1  # (B C m, re and im of 2 m)

        # one matrix per coefficient, from the right
        a = a.view(B, C, m, 2, 2 * m).permute(2, 4, 3, 0, 1).reshape(2 * m * m, 2 * B, C)
        # (2 m m, re and im of z, B, re and im of the weight, C)
        a = torch.bmm(a, self.weight).view(-1, 2, B, 2, C)
        real = a[:, 0, :, 0] - a[:, 1, :, 1]
        imaginary = a[:, 0, :, 1] + a[:, 1, :, 0]
        a = torch.stack([real, imaginary], 1)  # (2 m m, 2, B, C)
        if mix is not None:
            a = a @ mix.mT

        # back to values: along x1, then along x2
        a = a.view(m, 2 * m, 2, B, C).permute(3, 4, 0, 2, 1).reshape(-1, 4 * m)
        a = a @ matrices.back1  # (B C m, re and im of n)
        a = a.view(B * C, m, 2, n).permute(0, 3, 2, 1).reshape(-1, 2 * m)
        return (a @ matrices.back2).view(B, C, n * n)


# ------------------------------------------------------------------------------------------- layers
def _pointwise(linear: nn.Linear, z: Tensor) -> Tensor:
    """A linear map of the channels of z (B, C, n * n), at each point."""
    return torch.baddbmm(linear.bias[:, None], linear.weight.expand(len(z), -1, -1), z)


class _Layer(nn.Module):
    """norm(W z + MLP(S z)) + injected.

    The MLP has one hidden layer of the same width; W and the MLP act point by point.
    """

    def __init__(self, width: int, modes: int):
        super().__init__()
        self.spectral = SpectralConvolution(width, modes)
        self.skip = nn.Linear(width, width)
        self.hidden = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def mixed(self, z: Tensor) -> Tensor:
        """W z + MLP(S z), in as few passes over z as it takes."""
        # the MLP's first matrix acts on the coefficients, both last biases are added in one pass
        h = gelu(self.spectral(z, self.hidden.weight) + self.hidden.bias[:, None])
        bias = (self.skip.bias + self.out.bias)[:, None]
        linear = torch.baddbmm(bias, self.skip.weight.expand(len(z), -1, -1), z)
        return torch.baddbmm(linear, self.out.weight.expand(len(z), -1, -1), h)

    def forward(self, z: Tensor, injected: Tensor) -> Tensor:
        # over space, one channel at a time: an instance norm
        return layer_norm(self.mixed(z), z.shape[-1:]) + injected


class _Block(nn.ModuleList):
    """Three layers with a gelu between them."""

    def __init__(self, width: int, modes: int):
        super().__init__(_Layer(width, modes) for _ in range(3))

    def forward(self, z: Tensor, injected: Tensor) -> Tensor:
        """z (B, width, n * n), injected (B, 3 width, n * n): one part for each layer."""
        first, second, third = injected.chunk(3, 1)
        z = gelu(self[0](z, first))
        z = gelu(self[1](z, second))
        last: Tensor = self[2](z, third)
        return last


# ------------------------------------------------------------------------------------------- models
class _FNO(nn.Module):
    """What both models share: lifting, injections, blocks of three layers, output layer and MLP."""

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
            require(is_real(value) and value > 0, name, value, "positive and finite")
        self.width = width
        self.inputs = inputs
        self.input_scale = input_scale
        self.output_scale = output_scale
        self.lifting = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(_Block(width, modes) for _ in range(depth))
        self.injections = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(depth))
        self.output = _Layer(width, modes)
        self.project = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1))

    def lift(self, x: Tensor) -> Tensor:
        """x (B, inputs, n, n), in units of input_scale, -> (B, width, n * n)."""
        if x.dim() != 4 or x.shape[1] != self.inputs or x.shape[2] != x.shape[3] or not len(x):
            raise ValueError(f"x must have shape (B, {self.inputs}, n, n), got {tuple(x.shape)}")
        if x.dtype != self.lifting.weight.dtype:
            raise TypeError(
                f"x must have the weights' dtype {self.lifting.weight.dtype}, got {x.dtype}"
            )
        return _pointwise(self.lifting, (x / self.input_scale).flatten(2))

    def inject(self, index: int, lifted: Tensor) -> Tensor:
        """U x + b of the three layers of a block, (B, 3 width, n * n), for x = lift(x)."""
        return _pointwise(cast(nn.Linear, self.injections[index]), lifted)  # as built above

    def block(self, index: int, z: Tensor, injected: Tensor) -> Tensor:
        """One block at z (B, width, n * n), with what `inject` returns."""
        after: Tensor = self.blocks[index](z, injected)
        return after

    def decode(self, z: Tensor) -> Tensor:
        """The answer y (B, n, n) of a latent state, of mean zero."""
        n = math.isqrt(z.shape[2])
        hidden, last = cast(nn.Linear, self.project[0]), cast(nn.Linear, self.project[2])
        h = gelu(_pointwise(hidden, gelu(self.output.mixed(z))))
        y = _pointwise(last, h)[:, 0]
        return self.output_scale * (y - y.mean(1, keepdim=True)).view(-1, n, n)


class ExplicitFNO(_FNO):
    """y = decode(block_K(... block_1(lift(x), x) ..., x)), K = depth.

    Each block has its own weights, and the input is injected into all: with ``depth`` 1 these are
    the weights of `ImplicitFNO` less one (its damping); more depth or width is the paper's FNO++.
    Where ``injected`` is False the input is lifted and no more, as in the plain network behind the
    published explicit error; biases are then what is left of the injections.
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
        injected: bool = True,
    ):
        super().__init__(
            width=width,
            modes=modes,
            depth=depth,
            inputs=inputs,
            input_scale=input_scale,
            output_scale=output_scale,
        )
        self.biases: nn.ParameterList | None = None
        if not injected:
            self.biases = nn.ParameterList(torch.zeros(3 * width, 1) for _ in range(depth))
            del self.injections

    def forward(self, x: Tensor) -> Tensor:
        """The answer y (B, n, n) to x (B, inputs, n, n)."""
        lifted = self.lift(x)
        z = lifted
        for index in range(len(self.blocks)):
            if self.biases is None:
                added = self.inject(index, lifted)
            else:
                added = self.biases[index].expand(len(x), -1, lifted.shape[2])
            z = self.block(index, z, added)
        return self.decode(z)


class ImplicitFNO(_FNO):
    """G(z, q) = z + d (block(z, q) - z) for `equilibria.solve`, an operator with a latent state.

    q = encode(x) is (B, 3 width, n * n), the iteration begins at start(q), and y = decode(z).
    It has 2.376 million real weights at width 32 and 12 modes, as published.

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
        require_damping(damping)
        self._damping: nn.Parameter | None = None
        if damping < 1:  # d = sigmoid(_damping), so that training keeps it in (0, 1)
            self._damping = nn.Parameter(torch.tensor(math.log(damping / (1 - damping))))

    @property
    def damping(self) -> Tensor:
        """d, a scalar; 1 where there is no damping."""
        return torch.ones(()) if self._damping is None else self._damping.sigmoid()

    def encode(self, x: Tensor) -> Tensor:
        """q: what the input adds in each layer, computed once for all iterations."""
        return self.inject(0, self.lift(x))

    def start(self, q: Tensor) -> Tensor:
        """z_0 = 0."""
        return q.new_zeros(len(q), self.width, q.shape[2])

    def forward(self, z: Tensor, q: Tensor) -> Tensor:
        """G(z, q), of the shape of z."""
        moved = self.block(0, z, q)
        return moved if self._damping is None else torch.lerp(z, moved, self.damping)
