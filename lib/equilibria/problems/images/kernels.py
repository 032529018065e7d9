"""The two motion kernels: this project's own, and the paper's."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from equilibria.files import read_pinned
from equilibria.paths import data_folder

__all__ = ["levin09", "levin09_path", "motion_kernel"]

_POINTS = 2001  # of the discretised path of a camera shake
_REACH = 0.85  # how far the path goes from the middle (0) to the edge (1) of the kernel
_LEVIN09 = "c8a58c146b766ace03fc62c4d1c9652d249127d3ea76056e342454ddc871ad96"  # sha256 of the file
_LEVIN09_KERNEL_1 = 3262  # bytes before the numbers of kernel 1


def motion_kernel(*, size: int = 17, seed: int = 0) -> Tensor:
    """A camera shake, (size, size), float64, >= 0, with sum 1; this project's own construction.

    The kernel holds the time that a smooth random path spends in each pixel (bilinear weights).
    The mean of the path lies at the kernel's centre.
    """
    path = _random_path(torch.Generator().manual_seed(seed))
    path = path - path.mean(1, keepdim=True)
    path = (size - 1) / 2 * (1 + _REACH * path / path.abs().max())
    corner = path.floor()
    kernel = torch.zeros(size, size, dtype=torch.float64)
    for down in (0, 1):
        for right in (0, 1):
            vertical = 1 - (path[0] - corner[0] - down).abs()
            horizontal = 1 - (path[1] - corner[1] - right).abs()
            pixels = ((corner[0] + down).long(), (corner[1] + right).long())
            kernel.index_put_(pixels, vertical * horizontal, accumulate=True)
    return kernel / kernel.sum()


def _random_path(generator: torch.Generator) -> Tensor:
    """A straight drift plus two sines per coordinate, of periods 1 and 1/2, (2, _POINTS)."""
    s = torch.linspace(0, 1, _POINTS, dtype=torch.float64)
    drift = torch.rand(2, 1, generator=generator, dtype=torch.float64)
    amplitude = torch.rand(2, 2, generator=generator, dtype=torch.float64)
    phase = torch.rand(2, 2, generator=generator, dtype=torch.float64)
    # path(s) = (2 d - 1) s + sum_k a_k / (4 k) sin(2 pi (k s + phi_k)),  k = 1, 2
    sines = []
    for k in (1, 2):
        column = slice(k - 1, k)
        wave = torch.sin(2 * math.pi * (k * s + phase[:, column]))
        sines.append(0.25 / k * amplitude[:, column] * wave)
    return (2 * drift - 1) * s + (sines[0] + sines[1])


def levin09() -> Tensor | None:
    """The paper's kernel, (17, 17), float64: number 1 of Levin et al. 2009.

    It is read from ``data/degradations/Levin09.npy``; None where there is no such file.
    Raises `DataError` where the file cannot be read or is another one.
    """
    file = levin09_path()
    if not file.is_file():
        return None
    content = read_pinned(file, _LEVIN09)
    # The file is a pickle, which is not unpickled: in this very file the numbers of kernel 1 lie
    # here, column by column.
    columns = np.frombuffer(content, "<f8", count=17 * 17, offset=_LEVIN09_KERNEL_1)
    return torch.from_numpy(columns.reshape(17, 17).T.copy())


def levin09_path() -> Path:
    """Where the file of `levin09` belongs."""
    return data_folder() / "degradations" / "Levin09.npy"
