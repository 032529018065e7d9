"""Operators for deblurring (paper, section 5.1): a data step, then a learned denoiser H.

=========  =======================================================================
PGD        G(y, x) = H(y - gamma A^T (A y - x))
HQS        G(y, x) = H((A^T A + beta I)^-1 (A^T x + beta y))
``H``      DRUNet (Zhang et al. 2021) at noise level sigma
``gamma``  in (0, 2), so that the data step does not expand (|A| = 1). Starts at 1
``beta``   > 0. Starts at 1/4, the inverse of the paper's step 4
``sigma``  in (0, 0.5), learned with H. Starts at 0.03
=========  =======================================================================

Both data steps are y + F^-1[ w conj(K) (F x - K F y) ], with w = gamma or w = 1 / (|K|^2 + beta).
The Fourier form of the inverse is exact, because A is a convolution on the torus. At frequencies
that the blur removes (K = 0) neither step contracts, so an equilibrium needs an H that does.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from equilibria.checks import require
from equilibria.operators.blur import Blur

__all__ = [
    "DeblurringOperator",
    "Denoiser",
    "Explicit",
    "ImplicitHQS",
    "ImplicitPGD",
    "Unfolded",
]

_LARGEST_SIGMA = 0.5


class Denoiser(nn.Module):
    """H(v) = v - R(v, sigma) with a DRUNet R, (B, 3, H, W) -> (B, 3, H, W).

    channels  channels at the four scales. The published network has (64, 128, 256, 512) and 4
              blocks: 32.6 million weights
    blocks    residual blocks per scale and direction
    residual  False: H(v) = R(v, sigma), which is what the published weights were trained for

    Images may have any size from 16 x 16. New weights are deepinv's: orthogonal with gain 0.2,
    drawn from torch's global generator.
    """

    def __init__(
        self, channels: tuple[int, ...] = (8, 16, 32, 64), blocks: int = 1, *, residual: bool = True
    ):
        super().__init__()
        # Importing deepinv takes seconds, so it happens only where a network is built.
        from deepinv.models import DRUNet  # type: ignore[import-untyped]  # deepinv ships no types

        unet = DRUNet(nc=list(channels), nb=blocks, pretrained=None)
        self.unet = unet.to(memory_format=torch.channels_last)
        self.residual = residual

    def forward(self, v: Tensor, sigma: Tensor | float) -> Tensor:
        """H(v) for images v, (B, 3, H, W). sigma >= 0: one noise level, or one per image, (B,)."""
        batch, _, height, width = v.shape
        level = torch.as_tensor(sigma, dtype=v.dtype, device=v.device).reshape(-1, 1, 1, 1)
        stacked = torch.cat([v, level.expand(batch, 1, height, width)], 1)
        stacked = stacked.contiguous(memory_format=torch.channels_last)
        # The network halves the image three times, so both sides must be multiples of 8.
        down, right = -height % 8, -width % 8
        if down or right:
            stacked = functional.pad(stacked, (0, right, 0, down), mode="replicate")
        image: Tensor = self.unet.forward_unet(stacked)[..., :height, :width].contiguous()
        return v - image if self.residual else image


class _LearnedDenoiser(nn.Module):
    """What explicit and implicit models share: H and its noise level.

    Raises ValueError for a sigma outside (0, 0.5).
    """

    def __init__(self, denoiser: nn.Module, *, sigma: float = 0.03):
        super().__init__()
        require(0 < sigma < _LARGEST_SIGMA, "sigma", sigma, f"in (0, {_LARGEST_SIGMA})")
        self.denoiser = denoiser
        self._sigma = nn.Parameter(torch.tensor(math.log(sigma / (_LARGEST_SIGMA - sigma))))

    @property
    def sigma(self) -> Tensor:
        """The learned noise level of H, a scalar in (0, 0.5)."""
        return _LARGEST_SIGMA * self._sigma.sigmoid()

    def denoise(self, v: Tensor) -> Tensor:
        """H(v) at the learned noise level."""
        image: Tensor = self.denoiser(v, self.sigma)
        return image


class Explicit(_LearnedDenoiser):
    """y = H(x): the same network applied once. It knows of A only what it learns."""

    def forward(self, x: Tensor) -> Tensor:
        """The restored images y, (B, 3, H, W), from the measurements x."""
        return self.denoise(x)


class DeblurringOperator(_LearnedDenoiser, ABC):
    """G(y, x) = H(D(y, x)) with a data step D; y and x are (B, 3, H, W).

    ``blur`` is A. It may be exchanged for another one after training.
    """

    def __init__(self, denoiser: nn.Module, blur: Blur, *, sigma: float = 0.03):
        super().__init__(denoiser, sigma=sigma)
        self.blur = blur

    @abstractmethod
    def data_step(self, y: Tensor, x: Tensor) -> Tensor:
        """D(y, x): brings A y closer to x; shaped as y."""

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        """G(y, x), shaped as y."""
        return self.denoise(self.data_step(y, x))


class ImplicitPGD(DeblurringOperator):
    """Proximal gradient descent: G(y, x) = H(y - gamma A^T (A y - x)).

    Raises ValueError for a gamma outside (0, 2) or a sigma outside (0, 0.5).
    """

    def __init__(self, denoiser: nn.Module, blur: Blur, *, sigma: float = 0.03, gamma: float = 1.0):
        super().__init__(denoiser, blur, sigma=sigma)
        require(0 < gamma < 2, "gamma", gamma, "in (0, 2)")
        self._gamma = nn.Parameter(torch.tensor(math.log(gamma / (2 - gamma))))

    @property
    def gamma(self) -> Tensor:
        """The learned step size, a scalar in (0, 2)."""
        return 2 * self._gamma.sigmoid()

    def data_step(self, y: Tensor, x: Tensor) -> Tensor:
        """y - gamma A^T (A y - x), shaped as y."""
        return self.blur.correct(y, x, self.gamma)


class ImplicitHQS(DeblurringOperator):
    """Half-quadratic splitting: G(y, x) = H((A^T A + beta I)^-1 (A^T x + beta y)).

    Raises ValueError for a beta that is not positive and finite, or a sigma outside (0, 0.5).
    """

    def __init__(self, denoiser: nn.Module, blur: Blur, *, sigma: float = 0.03, beta: float = 0.25):
        super().__init__(denoiser, blur, sigma=sigma)
        require(0 < beta < math.inf, "beta", beta, "positive and finite")
        self._log_beta = nn.Parameter(torch.tensor(math.log(beta)))

    @property
    def beta(self) -> Tensor:
        """The learned weight of y beside the data, a positive scalar."""
        return self._log_beta.exp()

    def data_step(self, y: Tensor, x: Tensor) -> Tensor:
        """(A^T A + beta I)^-1 (A^T x + beta y), shaped as y."""
        weight = 1 / (self.blur.symbol(y).abs().square() + self.beta)
        return self.blur.correct(y, x, weight)


class Unfolded(nn.Module):
    """y = G_K(... G_1(x, x) ..., x): K copies of an operator, each with its own weights.

    It is an explicit model, K times as large as its block.
    Raises ValueError for a depth K below 1.
    """

    def __init__(self, block: DeblurringOperator, depth: int):
        super().__init__()
        require(depth >= 1, "depth", depth, "at least 1")
        self.blocks = nn.ModuleList(copy.deepcopy(block) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        """The restored images y, (B, 3, H, W), from the measurements x."""
        y = x
        for block in self.blocks:
            y = block(y, x)
        return y
