"""What is measured of any looped language model: its states, and whether the loop contracts.

All loops start from z_0 = 0. Notation as in the paper: x is the embedded input, z_t the latent
state after t iterations of z <- G(z, x).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from equilibria import lipschitz
from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.solvers import trajectory

__all__ = [
    "contraction",
    "device_of",
    "latent_states",
    "require_times",
]

_RATE_MOVES = 10  # the rate of convergence is the mean over this many movements


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


def contraction(
    model: LoopedTransformer, tokens: Tensor, *, settle: int = 200, max_steps: int = 50
) -> dict[str, list[float]]:
    """Whether the loop is regular where it ends: three numbers per sequence, at z = z_settle.

    modulus   |dG/dz|, the spectral norm, below 1 for a regular operator (paper, Definition 2.3); a
              lower bound where the power iteration does not settle in ``max_steps``
    rate      the factor per loop by which |z_t - z_{t-1}| / |z_t| shrank, over the last 10
              movements above rounding
    residual  |G(z, x) - z| / |z|
    """
    with torch.no_grad():
        x = model.encode(tokens)
        moves = []
        before = torch.zeros_like(x)
        for z in latent_states(model, x, settle):
            moves.append(_norm(z - before) / _norm(z))
            before = z
        z = before
        residual = _norm(model(z, x) - z) / _norm(z)
    rounding = 100 * torch.finfo(x.dtype).eps
    rates = [_rate(path, rounding) for path in torch.stack(moves, 1).double().tolist()]
    modulus = lipschitz.local(lambda z: model(z, x), z, max_steps=max_steps, tol=1e-2, throw=False)
    return {"modulus": _to_list(modulus), "rate": rates, "residual": _to_list(residual)}


def _rate(moves: list[float], rounding: float) -> float:
    """The geometric mean factor of the last movements before the first one below ``rounding``."""
    above = len(moves)
    for t, move in enumerate(moves):
        if move < rounding:
            above = t
            break
    first = max(above - 1 - _RATE_MOVES, 0)
    factors = max(above - 1 - first, 1)
    factor: float = (moves[above - 1] / moves[first]) ** (1 / factors)
    return factor


def _norm(z: Tensor) -> Tensor:
    """The norm of each sequence's state, (B,)."""
    norm: Tensor = z.flatten(1).norm(dim=1)
    return norm


def _to_list(values: Tensor) -> list[float]:
    return [float(value) for value in values.tolist()]
