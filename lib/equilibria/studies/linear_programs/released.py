"""Slopes and errors along t as the authors' released experiments compute them (paper, Fig. 6).

They differ from what the paper's text means, which is `measures.perturbed_along_t`, in this:

- The networks work in float32 and read A, b, c, l and u rounded to 1e-5. A perturbation of norm
  1e-4 moves a number by about as much, so the rounding replaces it by another one. The slope is
  divided by the norm of that one.
- k counts iterations from 0 to 9.
- The error is the mean over clean and perturbed programs together.

In the paper y is a latent vector, and its decoder answers at k = 0 without the loop. Here y is the
answer itself, so y_0 = 0 for every program and the slope at k = 0 is zero.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict

import torch
from torch import Tensor

from equilibria.operators.lp_graph import ImplicitGNN, graph
from equilibria.problems.linear_programs import LinearPrograms
from equilibria.studies.linear_programs.measures import batches, relative_error, trajectory

__all__ = ["RELEASED_NORM", "RELEASED_STEPS", "AsReleased", "as_released_along_t"]

RELEASED_NORM = 1e-4  # of the perturbations
RELEASED_STEPS = 9
_DIGITS = 5  # that are kept of every feature
_FEATURES = ("values", "b", "c", "l", "u")


class AsReleased(TypedDict):
    """One number per k, from k = 0 on.

    ratio   the mean over the programs of |y_k(x + dx) - y_k(x)| / |dx|, with x and x + dx rounded
    error   the mean of |y_k - y*| / (|y*| + 1) over clean and perturbed programs
    """

    ratio: list[float]
    error: list[float]


@torch.no_grad()
def as_released_along_t(
    model: ImplicitGNN,
    programs: LinearPrograms,
    moved: LinearPrograms,
    *,
    steps: int = RELEASED_STEPS,
) -> AsReleased:
    """The released protocol for one kind of perturbation, k = 0 to ``steps``.

    ``moved`` holds the same programs, perturbed by `RELEASED_NORM` and labelled anew. Raises
    ValueError where the rounding undoes the perturbation of a program, which leaves no slope.
    """
    ratio_parts, error_parts = [], []
    for part, moved_part in zip(batches(programs), batches(moved), strict=True):
        part, moved_part = _rounded(part), _rounded(moved_part)
        norm = _distance(part, moved_part)
        if not norm.all():
            raise ValueError(
                f"moved must differ from programs by more than the rounding to 1e-{_DIGITS}, got "
                f"{int((norm == 0).sum())} programs that do not: perturb by {RELEASED_NORM:g}"
            )
        here = _from_zero(model, part, steps)  # (steps + 1, B, n)
        there = _from_zero(model, moved_part, steps)
        ratio_parts.append((there - here).norm(dim=2) / norm)
        error_parts += [_errors(here, part), _errors(there, moved_part)]
    return {
        "ratio": torch.cat(ratio_parts, 1).mean(1).tolist(),
        "error": torch.cat(error_parts, 1).mean(1).tolist(),
    }


def _rounded(programs: LinearPrograms) -> LinearPrograms:
    """The programs with rounded features; their labels stay."""
    fields = programs.tensors()
    return replace(programs, **{name: fields[name].round(decimals=_DIGITS) for name in _FEATURES})


def _distance(programs: LinearPrograms, moved: LinearPrograms) -> Tensor:
    """|dx| per program (B,), of the features in float32."""
    here, there = programs.tensors(), moved.tensors()
    moves = [there[name].float() - here[name].float() for name in _FEATURES]
    distance: Tensor = torch.cat(moves, 1).norm(dim=1)
    return distance


def _from_zero(model: ImplicitGNN, programs: LinearPrograms, steps: int) -> Tensor:
    """y_0 = 0, ..., y_steps, (steps + 1, B, n)."""
    iterates = list(trajectory(model, graph(programs), steps))
    return torch.stack([torch.zeros_like(iterates[0]), *iterates])


def _errors(iterates: Tensor, programs: LinearPrograms) -> Tensor:
    """The error of every iterate, (steps + 1, B)."""
    label = programs.y.float()
    return torch.stack([relative_error(y, label) for y in iterates])
