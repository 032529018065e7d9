"""The points that notebook 01 measures at."""

import math

import torch
from torch import Tensor

__all__ = ["log_space"]


def log_space(low: float, high: float, count: int, device: str) -> Tensor:
    """Points from low to high with equal ratios, (count, 1) float64."""
    exponents = (math.log10(low), math.log10(high))
    return torch.logspace(*exponents, count, dtype=torch.float64, device=device)[:, None]
