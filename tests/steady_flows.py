"""Flows on which the tests of the Navier-Stokes modules agree."""

import torch
from equilibria.problems.flow_equation import manufacture
from equilibria.problems.flow_grid import random_vorticity

f64 = torch.float64
NU = 0.01


def axes(n):
    """x1 and x2 at the points of an n x n grid."""
    x = 2 * torch.pi / n * torch.arange(n, dtype=f64)
    return x[:, None].expand(n, n), x[None, :].expand(n, n)


def field(count=3, n=32, std=0.05, seed=0):
    return random_vorticity(count, n, std=std, generator=torch.Generator().manual_seed(seed))


def forced(count=4, n=32, std=0.05):
    """(forcing, vorticity) of random steady flows."""
    w = field(count, n, std)
    return manufacture(w, NU), w


def largest_error(a, b):
    """The largest |a - b| / |b| over the samples."""
    return ((a - b).flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1)).max().item()
