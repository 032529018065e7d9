"""Square crops of photographs: fixed ones for a table, random ones for training."""

from __future__ import annotations

import torch
from torch import Tensor

from equilibria.checks import require

__all__ = ["crops", "draw"]


def crops(photographs: list[Tensor], *, size: int, seed: int, each: int = 1) -> Tensor:
    """``each`` random crops of every photograph, (each * N, 3, size, size).

    photographs: N tensors, (3, H, W). The crops of one photograph follow one another, and the
    seed determines all of them. Raises ValueError where a photograph is smaller than ``size``.
    """
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for photograph in photographs:
        for _ in range(each):
            parts.append(_crop(photograph, size, generator))
    return torch.stack(parts)


def draw(photographs: list[Tensor], count: int, *, size: int, generator: torch.Generator) -> Tensor:
    """Training data: ``count`` crops of photographs drawn at random, (count, 3, size, size).

    Place, mirror image and quarter turn of each crop are random, too.
    Raises ValueError where a photograph is smaller than ``size``.
    """
    batch = []
    for i in torch.randint(len(photographs), (count,), generator=generator).tolist():
        crop = _crop(photographs[i], size, generator)
        turns, mirror = torch.randint(4, (2,), generator=generator).tolist()
        crop = torch.rot90(crop, turns, [1, 2])
        if mirror % 2:
            crop = crop.flip(2)
        batch.append(crop)
    return torch.stack(batch)


def _crop(photograph: Tensor, size: int, generator: torch.Generator) -> Tensor:
    _, height, width = photograph.shape
    need = f"at most the photograph's sides ({height}, {width})"
    require(size <= min(height, width), "size", size, need)
    top = int(torch.randint(height - size + 1, (), generator=generator))
    left = int(torch.randint(width - size + 1, (), generator=generator))
    return photograph[:, top : top + size, left : left + size]
