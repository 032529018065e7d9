"""What is measured of any looped language model: steepness, contraction, paths of its states.

All loops start from z_0 = 0 unless a seed for a random start is given. Notation as in the paper:
x is the embedded input, z_t the latent state after t iterations of z <- G(z, x).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from equilibria import lipschitz
from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.solvers import trajectory

__all__ = [
    "contraction",
    "device_of",
    "latent_states",
    "paths",
    "require_times",
    "steepness",
]

_RATE_MOVES = 10  # the rate of convergence is a mean over so many movements


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
def paths(
    model: LoopedTransformer, tokens: Tensor, steps: int, *, start_seed: int | None = None
) -> tuple[Tensor, Tensor]:
    """(points (B, steps, 2), share (2,)): how the last position's state moves.

    The points are z_1, ..., z_steps of every sequence on the two principal axes of them all;
    ``share`` is the part of the variance that each axis explains.
    """
    states = model.states(tokens, steps, start_seed=start_seed)
    flat = states[:, :, -1].transpose(0, 1).double()  # (B, steps, width)
    centred = flat - flat.mean((0, 1))
    _, s, axes = torch.linalg.svd(centred.flatten(0, 1), full_matrices=False)
    return centred @ axes[:2].T, s[:2] ** 2 / (s**2).sum()


def _norm(z: Tensor) -> Tensor:
    """The norm of each sequence's state, (B,)."""
    norm: Tensor = z.flatten(1).norm(dim=1)
    return norm


def _to_list(values: Tensor) -> list[float]:
    return [float(value) for value in values.tolist()]
