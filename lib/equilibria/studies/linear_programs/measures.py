"""What is measured of one model along its iterations t."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from equilibria.operators.lp_graph import ExplicitGNN, Graph, ImplicitGNN, graph
from equilibria.problems.linear_programs import LinearPrograms
from equilibria.solvers import loop as solvers_loop

__all__ = [
    "Network",
    "along_t",
    "batches",
    "errors_at",
    "label_scale",
    "perturbed_along_t",
    "relative_error",
    "trajectory",
]

Network = ExplicitGNN | ImplicitGNN

_BATCH = 250  # programs that fit into the cache of a core


def relative_error(y: Tensor, label: Tensor) -> Tensor:
    """The paper's error |y - y*| / (|y*| + 1) per program, (B,)."""
    error: Tensor = (y - label).norm(dim=1) / label_scale(label)
    return error


def label_scale(label: Tensor) -> Tensor:
    """What errors and moves are divided by, |y*| + 1 per program, (B,)."""
    scale: Tensor = label.norm(dim=1) + 1
    return scale


def trajectory(model: Network, x: Graph, steps: int) -> Iterator[Tensor]:
    """y_1, ..., y_steps (B, n) from y_0 = 0; an explicit model has one answer, its y_1."""
    if isinstance(model, ExplicitGNN):
        yield model(x)
        return
    q = model.encode(x)
    yield from solvers_loop.trajectory(model, model.start(q), q, steps)


@torch.no_grad()
def along_t(
    model: Network,
    programs: LinearPrograms,
    *,
    steps: int,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> dict[str, list[float]]:
    """What becomes of y_1, ..., y_steps, averaged over the programs; one number per t.

    mean, std   of the error |y_t - y*| / (|y*| + 1)
    violation   the mean of |(A y_t - b)_+| / |y*|, of |A y_t - b| in equality rows; the networks
                obey the bounds by construction
    gap         the mean of |c'y_t - c'y*| over the mean of |c'y*|
    """
    error_parts, violation_parts, gap_parts = [], [], []
    for part in batches(programs):
        x = graph(part, dtype=dtype, device=device)
        label = part.y.to(device, dtype)
        b, c = part.b.to(device, dtype), part.c.to(device, dtype)
        equality = part.equality.to(device)
        errors, violations, gaps = [], [], []
        for y in trajectory(model, x, steps):
            errors.append(relative_error(y, label))
            violations.append(_row_violation(y, x, b, equality) / label.norm(dim=1))
            gaps.append((c * (y - label)).sum(1).abs())
        error_parts.append(torch.stack(errors))
        violation_parts.append(torch.stack(violations))
        gap_parts.append(torch.stack(gaps))
    error = torch.cat(error_parts, 1)  # (steps, all programs)
    gap = torch.cat(gap_parts, 1).mean(1) / programs.objective.abs().mean()
    return {
        "mean": error.mean(1).tolist(),
        "std": error.std(1).tolist(),
        "violation": torch.cat(violation_parts, 1).mean(1).tolist(),
        "gap": gap.tolist(),
    }


@torch.no_grad()
def errors_at(
    model: Network, programs: LinearPrograms, times: Sequence[int], *, device: str = "cpu"
) -> Tensor:
    """The error of y_t per program at every t of ``times``, (len(times), B), in float32.

    An explicit model has one answer, at t = 1.
    """
    parts = []
    for part in batches(programs):
        x = graph(part, device=device)
        label = part.y.to(device, torch.float32)
        errors = {}
        for t, y in enumerate(trajectory(model, x, max(times)), start=1):
            if t in times:
                errors[t] = relative_error(y, label)
        parts.append(torch.stack([errors[t] for t in times]))
    return torch.cat(parts, 1)


@torch.no_grad()
def perturbed_along_t(
    model: Network,
    programs: LinearPrograms,
    moved: LinearPrograms,
    *,
    norm: float,
    steps: int,
) -> dict[str, list[float]]:
    """The Lipschitz protocol as the paper's text means it (section 5.3), in float64.

    One kind of perturbation: ``moved`` holds the same programs, perturbed by ``norm`` and labelled
    anew. `as_released_along_t` has the protocol of the authors' experiments. One number per t:

    ratio    the mean over the programs of |y_t(x + dx) - y_t(x)| / |dx|, which is the paper's
             estimate of a Lipschitz constant
    median   the median of these ratios, which the few programs whose iteration cycles do not move
    error    the mean of |y_t(x + dx) - y*| / (|y*| + 1), with y* the label of x + dx
    """
    model = copy.deepcopy(model).double()
    ratio_parts, error_parts = [], []
    for part, moved_part in zip(batches(programs), batches(moved), strict=True):
        here = trajectory(model, graph(part, dtype=torch.float64), steps)
        there = trajectory(model, graph(moved_part, dtype=torch.float64), steps)
        ratios, errors = [], []
        for y, moved_y in zip(here, there, strict=True):
            ratios.append((moved_y - y).norm(dim=1) / norm)
            errors.append(relative_error(moved_y, moved_part.y))
        ratio_parts.append(torch.stack(ratios))
        error_parts.append(torch.stack(errors))
    ratio = torch.cat(ratio_parts, 1)  # (steps, all programs)
    return {
        "ratio": ratio.mean(1).tolist(),
        "median": ratio.median(1).values.tolist(),
        "error": torch.cat(error_parts, 1).mean(1).tolist(),
    }


def batches(programs: LinearPrograms) -> Iterator[LinearPrograms]:
    """The programs in pieces that fit into a cache, in order."""
    for start in range(0, len(programs), _BATCH):
        yield programs[start : start + _BATCH]


def _row_violation(y: Tensor, x: Graph, b: Tensor, equality: Tensor) -> Tensor:
    """|(A y - b)_+|, of |A y - b| in equality rows, per program (B,)."""
    excess = (x.A @ y.reshape(-1, 1)).view_as(b) - b
    excess = torch.where(equality, excess.abs(), excess.clamp(min=0))
    violation: Tensor = excess.norm(dim=1)
    return violation
