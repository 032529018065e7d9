"""What is measured of any looped language model: steepness, contraction, paths of its states.

All loops start from z_0 = 0. Notation as in the paper: x is the embedded input, z_t the latent
state after t iterations of z <- G(z, x).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypedDict

import torch
from torch import Tensor

from equilibria import lipschitz
from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.solvers import trajectory

__all__ = [
    "Paths",
    "contraction",
    "device_of",
    "latent_states",
    "paths",
    "require_times",
    "steepness",
]

_RATE_MOVES = 10  # the rate of convergence is a mean over so many movements


class Paths(TypedDict):
    """How the states z_1, ..., z_T of two sequences move, at their last position.

    points  (2, T, 2), the states on the two principal axes of them all
    share   (2,) the part of the variance that each axis explains
    apart   (T,) their distance |z_t - z'_t| over their mean size
    moved   (T,) their mean movement |z_t - z_(t-1)| over the same
    """

    points: Tensor
    share: Tensor
    apart: Tensor
    moved: Tensor


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


def steepness(
    model: LoopedTransformer,
    tokens: Tensor,
    times: Sequence[int],
    *,
    max_steps: int = 30,
    tol: float = 1e-2,
) -> dict[str, list[list[float]]]:
    """True local Lipschitz constants of x -> z_t and x -> logits, at each t in ``times``.

    latent  |dz_t/dx|
    logits  |d logits/dx|, the logits of the last position alone

    Each is a list with one row per t and one column per sequence of ``tokens`` (B, n). Values are
    lower bounds where the power iteration does not reach ``tol`` in ``max_steps``.
    """
    x = model.encode(tokens).detach()
    last = torch.zeros(tokens.shape, dtype=torch.bool, device=tokens.device)
    last[:, -1] = True

    def norms(f: Callable[[Tensor], Tensor]) -> list[float]:
        return _to_list(lipschitz.local(f, x, max_steps=max_steps, tol=tol, throw=False))

    latent_norms, logit_norms = [], []
    for t in require_times(times):
        latent = _latent_map(model, t)
        latent_norms.append(norms(latent))
        logit_norms.append(norms(_logit_map(model, latent, last)))
    return {"latent": latent_norms, "logits": logit_norms}


def _latent_map(model: LoopedTransformer, t: int) -> Callable[[Tensor], Tensor]:
    """The map x -> z_t."""

    def latent(x: Tensor) -> Tensor:
        *_, z = latent_states(model, x, t)
        return z

    return latent


def _logit_map(
    model: LoopedTransformer, latent: Callable[[Tensor], Tensor], where: Tensor
) -> Callable[[Tensor], Tensor]:
    """The map from x to the logits at the marked positions."""

    def logits(x: Tensor) -> Tensor:
        return model.decode(latent(x), where)

    return logits


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


@torch.no_grad()
def paths(model: LoopedTransformer, tokens: Tensor, steps: int) -> Paths:
    """How the states of two sequences, ``tokens`` (2, n), move and part at the last position."""
    last_states = [z[:, -1] for z in latent_states(model, model.encode(tokens), steps)]
    states = torch.stack(last_states)  # (steps, 2, width)
    flat = states.transpose(0, 1).double()  # (2, steps, width)
    centred = flat - flat.mean((0, 1))
    _, s, axes = torch.linalg.svd(centred.flatten(0, 1), full_matrices=False)
    size = states.norm(dim=-1).mean(1)
    moves = torch.cat([states[:1], states[1:] - states[:-1]])  # the first one is from z_0 = 0
    return Paths(
        points=centred @ axes[:2].T,
        share=s[:2] ** 2 / (s**2).sum(),
        apart=(states[:, 0] - states[:, 1]).norm(dim=-1) / size,
        moved=moves.norm(dim=-1).mean(1) / size,
    )


def _norm(z: Tensor) -> Tensor:
    """The norm of each sequence's state, (B,)."""
    norm: Tensor = z.flatten(1).norm(dim=1)
    return norm


def _to_list(values: Tensor) -> list[float]:
    return [float(value) for value in values.tolist()]
