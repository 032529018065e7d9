"""Operators for deblurring (paper, section 5.1): a data step, then a learned denoiser H, y_t = G(y_{t-1}, x).

====================  ===================================================================================
PGD                   G(y, x) = H(y - gamma A^T (A y - x))
HQS                   G(y, x) = H((A^T A + beta I)^-1 (A^T x + beta y))
``H``                 DRUNet (Zhang et al. 2021) at noise level sigma
``gamma``             in (0, 2): the data step does not expand, |A| = 1. Starts at 1
``beta``              > 0. Starts at 1/4 (step 4)
``sigma``             in (0, 0.5), learned with H. Starts at 0.03
====================  ===================================================================================

Both data steps are y + F^-1[ w conj(K) (F x - K F y) ], w = gamma or w = 1 / (|K|^2 + beta): the Fourier form of the
inverse is exact, A being a convolution on the torus. At frequencies that the blur removes (K = 0) neither step
contracts, so an equilibrium needs an H that does.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from equilibria.problems.images import Blur

__all__ = ["Denoiser", "Explicit", "ImplicitHQS", "ImplicitPGD", "Unfolded"]

_LARGEST_SIGMA = 0.5


class Denoiser(nn.Module):
    """H(v) = v - R(v, sigma), R a DRUNet: (B, 3, H, W) -> (B, 3, H, W), images of any size from 16 x 16.

    channels  of the four scales; (64, 128, 256, 512) with 4 blocks are the published network's 32.6 million weights
    blocks    residual blocks a scale and direction
    residual  False: H = DRUNet itself, as its published weights want it
    New weights are deepinv's: orthogonal, gain 0.2, drawn from torch's global generator.
    """

    def __init__(
        self, channels: tuple[int, ...] = (8, 16, 32, 64), blocks: int = 1, *, residual: bool = True
    ):
        super().__init__()
        from deepinv.models import DRUNet  # takes seconds: only where a network is built

        self.unet = DRUNet(nc=list(channels), nb=blocks, pretrained=None).to(
            memory_format=torch.channels_last
        )
        self.residual = residual

    def forward(self, v: Tensor, sigma: Tensor | float) -> Tensor:
        """sigma: one level, or one per image (B,), >= 0."""
        B, _, H, W = v.shape
        level = (
            torch.as_tensor(sigma, dtype=v.dtype, device=v.device)
            .reshape(-1, 1, 1, 1)
            .expand(B, 1, H, W)
        )
        stacked = torch.cat([v, level], 1).contiguous(memory_format=torch.channels_last)
        down, right = -H % 8, -W % 8  # three halvings
        if down or right:
            stacked = functional.pad(stacked, (0, right, 0, down), mode="replicate")
        image = self.unet.forward_unet(stacked)[..., :H, :W].contiguous()
        return v - image if self.residual else image


class _Learned(nn.Module):
    """What the three models share: H and its level."""

    def __init__(self, denoiser: Denoiser, *, sigma: float = 0.03):
        super().__init__()
        if not 0 < sigma < _LARGEST_SIGMA:
            raise ValueError(f"sigma must lie in (0, {_LARGEST_SIGMA}), got {sigma!r}")
        self.denoiser = denoiser
        self._sigma = nn.Parameter(torch.tensor(math.log(sigma / (_LARGEST_SIGMA - sigma))))

    @property
    def sigma(self) -> Tensor:
        return _LARGEST_SIGMA * self._sigma.sigmoid()


class Explicit(_Learned):
    """y = H(x): the same network once, and nothing of A but what it learns."""

    def forward(self, x: Tensor) -> Tensor:
        return self.denoiser(x, self.sigma)


class ImplicitPGD(_Learned):
    """G(y, x) = H(y - gamma A^T (A y - x)); y and x (B, 3, H, W). `blur` may be exchanged for another A."""

    def __init__(self, denoiser: Denoiser, blur: Blur, *, sigma: float = 0.03, gamma: float = 1.0):
        super().__init__(denoiser, sigma=sigma)
        if not 0 < gamma < 2:
            raise ValueError(f"gamma must lie in (0, 2), got {gamma!r}")
        self.blur = blur
        self._gamma = nn.Parameter(torch.tensor(math.log(gamma / (2 - gamma))))

    @property
    def gamma(self) -> Tensor:
        return 2 * self._gamma.sigmoid()

    def data_step(self, y: Tensor, x: Tensor) -> Tensor:
        """Y - gamma A^T (A y - x)."""
        return self.blur.correct(y, x, self.gamma)

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        return self.denoiser(self.data_step(y, x), self.sigma)


class ImplicitHQS(_Learned):
    """G(y, x) = H((A^T A + beta I)^-1 (A^T x + beta y)); y and x (B, 3, H, W). `blur` may be exchanged for another A."""

    def __init__(self, denoiser: Denoiser, blur: Blur, *, sigma: float = 0.03, beta: float = 0.25):
        super().__init__(denoiser, sigma=sigma)
        if not 0 < beta < math.inf:
            raise ValueError(f"beta must be positive and finite, got {beta!r}")
        self.blur = blur
        self._log_beta = nn.Parameter(torch.tensor(math.log(beta)))

    @property
    def beta(self) -> Tensor:
        return self._log_beta.exp()

    def data_step(self, y: Tensor, x: Tensor) -> Tensor:
        """(A^T A + beta I)^-1 (A^T x + beta y)."""
        return self.blur.correct(y, x, 1 / (self.blur.symbol(y).abs().square() + self.beta))

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        return self.denoiser(self.data_step(y, x), self.sigma)


class Unfolded(nn.Module):
    """y = G_K(... G_1(x, x) ..., x): K copies of an operator, each with its own weights. Explicit, K times as large."""

    def __init__(self, block: ImplicitPGD | ImplicitHQS, depth: int):
        super().__init__()
        if depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth!r}")
        self.blocks = nn.ModuleList(copy.deepcopy(block) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for block in self.blocks:
            y = block(y, x)
        return y
