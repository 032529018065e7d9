"""Flows, an operator whose iteration is known, and a tiny recipe for the Navier-Stokes tests."""

import torch
from equilibria.operators.steady_flow import operator
from equilibria.problems.flow_equation import curl, manufacture
from equilibria.problems.flow_grid import random_vorticity
from equilibria.studies.navier_stokes import FlowSet, Recipe

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


class Exact(torch.nn.Module):
    """Relaxes towards the flow of a fluid without inertia, w = curl f / (nu |k|^2).

    So y_t is known: (1 - 2^-t) of it.
    """

    def __init__(self, n):
        super().__init__()
        self.n = n
        self.damping = torch.nn.Parameter(torch.tensor(0.5, dtype=f64))

    def encode(self, x):
        return operator(NU)(torch.zeros_like(x[:, 0]), curl(x)).flatten(1)

    def start(self, q):
        return torch.zeros_like(q)

    def decode(self, z):
        return z.view(-1, self.n, self.n)

    def forward(self, z, q):
        return torch.lerp(z, q, self.damping)


class TwoRests(Exact):
    """Rests at its input and at minus that, whichever is nearer; leaves 0 for its input."""

    def forward(self, z, q):
        side = torch.where((z * q).sum(1, keepdim=True) < 0, -1.0, 1.0)
        return torch.lerp(z, side * q, self.damping)


TINY = Recipe(
    width=4,
    modes=3,
    flows={
        "published": FlowSet(
            n=24, coarse=16, train=8, validation=5, test=4, test_seed=3, speeds=(0.6, 1.4)
        ),
        "unique": FlowSet(n=24, coarse=16, train=8, validation=5, test=4, test_seed=1),
    },
    batch=4,
    pool=8,
    learning_rate=1e-3,
    steps={"implicit": (24, 4), "explicit": (4, 1), "unrolled": (4, 1)},
)
