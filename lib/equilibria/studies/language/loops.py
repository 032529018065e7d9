"""What is measured of any looped language model: its states, and whether the loop comes to rest.

All loops start from z_0 = 0. Notation as in the paper: x is the embedded input, z_t the latent
state after t iterations of z <- G(z, x).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from equilibria import lipschitz
from equilibria.derivatives import TensorMap, pushforward
from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.solvers import trajectory

__all__ = [
    "device_of",
    "latent_states",
    "require_times",
    "rest",
    "spectral_radius",
]

_SETTLED = 100  # movements below this many units of rounding say nothing about the rate
_LAST_MOVES = 10
_NORM_STEPS = 30  # of the power iteration


def latent_states(model: LoopedTransformer, x: Tensor, steps: int) -> Iterator[Tensor]:
    """The states z_1, ..., z_steps from z_0 = 0, one at a time."""
    return trajectory(model, model.start(x), x, steps)


def device_of(model: torch.nn.Module) -> torch.device:
    """Where the weights of a model lie."""
    return next(model.parameters()).device


def require_times(times: Sequence[int]) -> list[int]:
    """``times`` as a list; raises ValueError unless they are at least 1 and rise."""
    times = list(times)
    if not times or times != sorted(set(times)) or times[0] < 1:
        raise ValueError(f"times must be rising numbers of loops from 1 on, got {times!r}")
    return times


def rest(model: LoopedTransformer, x: Tensor, *, settle: int) -> dict[str, list[float]]:
    """Whether the loop comes to rest, per input x (B, S, width), at z = z_settle.

    radius    spectral radius of dG/dz: iterating converges, near z, if and only if it is below 1
    norm      spectral norm of dG/dz, which Definition 2.3 of the paper asks to be below 1; a lower
              bound where the power iteration does not settle
    rate      factor by which the movement |z_t - z_{t-1}| / |z_t| shrank per loop, over the last 10
              movements above rounding
    residual  |G(z, x) - z| / |G(z, x)|
    """
    x = x.detach()
    moves = []
    with torch.no_grad():
        before = torch.zeros_like(x)
        for z in latent_states(model, x, settle + 1):
            moves.append(_norm(z - before) / _norm(z))
            last, before = before, z
    rates = [_rate(path, torch.finfo(x.dtype).eps) for path in torch.stack(moves, 1).tolist()]
    radius = [spectral_radius(model, z, x_row) for z, x_row in zip(last, x, strict=True)]
    step = _step_with(model, x)
    norm = lipschitz.local(step, last, max_steps=_NORM_STEPS, tol=1e-2, throw=False)
    return {
        "radius": radius,
        "norm": norm.tolist(),
        "rate": rates,
        "residual": moves[-1].tolist(),
    }


def spectral_radius(model: LoopedTransformer, z: Tensor, x: Tensor) -> float:
    """The spectral radius of dG/dz at the state z of one input, z and x (S, width).

    A place does not see later ones, so dG/dz is block lower triangular: its eigenvalues are those
    of its S diagonal blocks, each (width, width). They are computed whole, which a power iteration
    on a matrix so far from normal does not do reliably.
    """
    places, width = z.shape
    directions = torch.eye(width, dtype=z.dtype, device=z.device)
    blocks = []
    for i in range(places):
        # move place i alone, in every direction at once, and see what moves at place i
        moving = z.new_zeros(width, i + 1, width)
        moving[:, i] = directions
        states = z[: i + 1].expand(width, -1, -1).contiguous()
        inputs = x[: i + 1].detach().expand(width, -1, -1)
        _, moved = pushforward(_step_with(model, inputs), states, moving)
        blocks.append(moved[:, i].T)
    eigenvalues = torch.linalg.eigvals(torch.stack(blocks).double())
    return float(eigenvalues.abs().max())


def _step_with(model: LoopedTransformer, x: Tensor) -> TensorMap:
    """The map z -> G(z, x) of one input."""

    def step(z: Tensor) -> Tensor:
        moved: Tensor = model(z, x)
        return moved

    return step


def _norm(a: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(a.flatten(1), dim=1)
    return norm


def _rate(moves: list[float], rounding: float) -> float:
    """The mean factor per loop over the last movements that are more than rounding."""
    above = [move for move in moves if move >= _SETTLED * rounding]
    if len(above) < 2:
        return 0.0
    recent = above[-_LAST_MOVES - 1 :]
    return float((recent[-1] / recent[0]) ** (1 / (len(recent) - 1)))
