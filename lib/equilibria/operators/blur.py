"""The blur A of the deblurring problem: circular convolution, its adjoint and its data steps."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Blur"]


class Blur:
    """A y = k * y on the torus, (B, C, H, W) -> (B, C, H, W), by FFT (paper, section 5.1).

    kernel  k, (h, w), with odd sides, finite and >= 0. It is scaled to sum 1, so that |A| = 1,
            which A attains at constant images. The kernel's centre is the origin.

    An image may have any size that is at least the kernel's.
    Raises ValueError for another kernel, or for an image smaller than the kernel.
    """

    def __init__(self, kernel: Tensor):
        kernel = torch.as_tensor(kernel, dtype=torch.float64)
        if kernel.dim() != 2 or any(side % 2 == 0 for side in kernel.shape):
            raise ValueError(f"kernel must have two odd sides, got shape {tuple(kernel.shape)}")
        finite = bool(torch.isfinite(kernel).all())
        if not finite or bool((kernel < 0).any()) or not kernel.sum() > 0:
            raise ValueError("kernel must be finite, not negative, and not zero everywhere")
        self.kernel = kernel / kernel.sum()
        self._symbols: dict[tuple[int, int, torch.dtype, torch.device], Tensor] = {}

    def symbol(self, like: Tensor) -> Tensor:
        """The Fourier symbol K of A for images shaped as ``like``, (H, W // 2 + 1), complex.

        It is computed once for each size, dtype and device.
        """
        height, width = like.shape[-2:]
        key = (height, width, like.dtype, like.device)
        if key not in self._symbols:
            self._symbols[key] = self._compute_symbol(like)
        return self._symbols[key]

    def _compute_symbol(self, like: Tensor) -> Tensor:
        height, width = like.shape[-2:]
        h, w = self.kernel.shape
        if h > height or w > width:
            raise ValueError(
                f"image must have at least the kernel's {h} x {w} pixels, got {height} x {width}"
            )
        padded = torch.zeros(height, width, dtype=torch.float64)
        padded[:h, :w] = self.kernel
        # The kernel's centre goes to the corner, which is the origin of the Fourier transform.
        K: Tensor = torch.fft.rfft2(padded.roll((-(h // 2), -(w // 2)), (0, 1)))
        dtype = torch.complex128 if like.dtype == torch.float64 else torch.complex64
        return K.to(like.device, dtype)

    def __call__(self, y: Tensor) -> Tensor:
        """A y = F^-1[ K F y ]."""
        return _to_image(self.symbol(y) * torch.fft.rfft2(y), y)

    def adjoint(self, x: Tensor) -> Tensor:
        """A^T x = F^-1[ conj(K) F x ]."""
        return _to_image(self.symbol(x).conj() * torch.fft.rfft2(x), x)

    def correct(self, y: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        """y + F^-1[ weight conj(K) (F x - K F y) ].

        Every gradient step and every proximal step on |A y - x|^2 / 2 has this form.
        weight: real, a tensor that can be broadcast to (H, W // 2 + 1).
        """
        K = self.symbol(y)
        residual = torch.fft.rfft2(x) - K * torch.fft.rfft2(y)
        return y + _to_image(weight * K.conj() * residual, y)


def _to_image(spectrum: Tensor, like: Tensor) -> Tensor:
    """The real image, of the size of ``like``, with this half spectrum."""
    image: Tensor = torch.fft.irfft2(spectrum, s=like.shape[-2:])
    return image
