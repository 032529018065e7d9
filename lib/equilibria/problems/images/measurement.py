"""From a photograph to its measurement, and how close a restored photograph comes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from equilibria.checks import require

__all__ = ["NOISE", "measure", "psnr", "ssim"]

NOISE = 0.03  # standard deviation of the noise n (paper, section 5.1)


def measure(
    y: Tensor,
    blur: Callable[[Tensor], Tensor],
    *,
    generator: torch.Generator,
    noise: float = NOISE,
) -> Tensor:
    """The measurement x = A y + n (paper, section 5.1), shaped as y.

    y          photographs, (B, 3, H, W)
    blur       y -> A y
    generator  a CPU generator, so that the noise is the same on every device
    noise      standard deviation of n

    Raises ValueError for a negative noise, or for pixels that are not finite.
    """
    require(noise >= 0, "noise", noise, "at least 0")
    if not bool(torch.isfinite(y).all()):
        raise ValueError("y has pixels that are not finite")
    return blur(y) + noise * torch.randn(y.shape, generator=generator, dtype=y.dtype).to(y.device)


def psnr(y: Tensor, truth: Tensor) -> Tensor:
    """10 log10(1 / mean |y - truth|^2), in dB, one value per image, (B,).

    y, truth: (B, 3, H, W). Values outside [0, 1] are not clipped, as in training.
    """
    error: Tensor = (y - truth).square().flatten(1).mean(1)
    return -10 * error.log10()


def ssim(y: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity, one value per image, (B,), float32 (Wang et al. 2004).

    y, truth: (B, 3, H, W) in [0, 1]. Computed by scikit-image with a Gaussian window, sigma 1.5.
    """
    from skimage.metrics import structural_similarity

    values = []
    for image, original in zip(y.double().cpu().numpy(), truth.double().cpu().numpy(), strict=True):
        value = structural_similarity(  # type: ignore[no-untyped-call]  # scikit-image: no types
            image,
            original,
            channel_axis=0,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        values.append(value)
    return torch.tensor(values)
