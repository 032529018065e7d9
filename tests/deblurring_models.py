"""Small stand-ins for photographs and denoisers, shared by the tests of the deblurring case."""

import torch
from torch import nn

f64 = torch.float64


def noise(*shape, seed=0, dtype=f64):
    """Standard normal numbers from a seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def scene(count=2, side=32, seed=0):
    """Random photographs in [0, 1], (count, 3, side, side), float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, side, side, generator=generator, dtype=f64)


class Shrink(nn.Module):
    """The denoiser H(v) = w v: each iterate of PGD and HQS is known, frequency by frequency."""

    def __init__(self, w=0.9):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w, dtype=f64))

    def forward(self, v, sigma):
        return self.w * v
