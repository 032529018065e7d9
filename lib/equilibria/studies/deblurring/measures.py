"""What a deblurring model answers, and how its PSNR moves along the iterations."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equilibria.operators.deblurring import DeblurringOperator
from equilibria.problems import images
from equilibria.solvers import Anderson, Method, Solution, solve, trajectory

__all__ = ["TEST_STEPS", "answer", "psnr_along_t", "solved"]

TEST_STEPS = 100  # iterations t at which the tables judge y_t (paper, section 5.1)


@torch.no_grad()
def answer(model: nn.Module, x: Tensor) -> Tensor:
    """The images that the tables judge, shaped as the measurements x (paper, section 5.1).

    An implicit model answers with y_100 of Picard's iteration from y_0 = x, an explicit one with
    its only output.
    """
    if isinstance(model, DeblurringOperator):
        *_, y = trajectory(model, x, x, TEST_STEPS)
    else:
        y = model(x)
    return y


def solved(
    model: DeblurringOperator,
    x: Tensor,
    *,
    method: Method | None = None,
    max_steps: int = 300,
    tol: float = 1e-4,
) -> Solution:
    """The equilibrium from y_0 = x, to the relative residual ``tol``; method None is Anderson's.

    The solution's status says which images did not reach it.
    """
    method = method or Anderson()
    return solve(model, x, x, method=method, max_steps=max_steps, tol=tol, throw=False)


@torch.no_grad()
def psnr_along_t(
    model: DeblurringOperator,
    truth: Tensor,
    x: Tensor,
    *,
    steps: int,
    start: Tensor | None = None,
) -> Tensor:
    """PSNR in dB of y_1, ..., y_steps, (steps, B), from y_0 = ``start``; None starts from 0."""
    y0 = torch.zeros_like(x) if start is None else start
    return torch.stack([images.psnr(y, truth) for y in trajectory(model, y0, x, steps)])
