"""What the notebook's pictures show besides photographs: a detail to enlarge, and the blur's K."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["SQUARE", "log_symbol", "most_detailed_square"]

SQUARE = 40  # pixels per side of an enlarged detail
_STRIDE = 8  # pixels between the squares among which the detail is chosen
_LOWEST = 1e-3  # smaller values of |K| are drawn as this one


def most_detailed_square(image: Tensor) -> tuple[int, int]:
    """(top, left) of the square of 40 x 40 pixels whose grey values vary most.

    image: (3, H, W), at least 40 x 40.
    """
    grey = image.mean(0)
    squares = grey.unfold(0, SQUARE, _STRIDE).unfold(1, SQUARE, _STRIDE)
    spread = squares.std((2, 3))
    top, left = divmod(int(spread.argmax()), spread.shape[1])
    return _STRIDE * top, _STRIDE * left


def log_symbol(kernel: Tensor) -> Tensor:
    """log10 |K| of a 17 x 17 kernel, on the 64 x 64 frequencies, with frequency 0 in the middle."""
    padded = functional.pad(kernel, (24, 23, 24, 23))
    size = torch.fft.fft2(torch.fft.ifftshift(padded)).abs()
    logarithm: Tensor = torch.fft.fftshift(size).clamp(min=_LOWEST).log10()
    return logarithm
