"""One model beside another: solvers at test time, training memory, other noise, other kernels."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equilibria import training
from equilibria.adjoints import Implicit, Unrolled, equilibrium
from equilibria.operators.blur import Blur
from equilibria.operators.deblurring import DeblurringOperator, Unfolded
from equilibria.problems import images
from equilibria.solvers import Method, Picard, solve
from equilibria.studies.deblurring.measures import answer
from equilibria.training.records import timed

__all__ = [
    "BudgetCurve",
    "equilibrium_memory",
    "psnr_by_budget",
    "psnr_of_all",
    "unfolded_memory",
]


@dataclass(frozen=True)
class BudgetCurve:
    """What a solver reaches with budgets of evaluations of G."""

    evaluations: list[int]  # the budgets
    psnr: list[Tensor]  # mean PSNR in dB after each budget
    residual: Tensor  # (K,) largest relative residual after each evaluation, at the last budget
    seconds_per_evaluation: float  # per image, at the last budget


def psnr_by_budget(
    model: DeblurringOperator, truth: Tensor, x: Tensor, *, method: Method, budgets: list[int]
) -> BudgetCurve:
    """Solve from y_0 = x once with each of ``budgets``, and see how good the answers are."""
    psnr = []
    for budget in budgets:
        compute = functools.partial(
            solve, model, x, x, method=method, max_steps=budget, throw=False
        )
        seconds, solution = timed(compute)
        psnr.append(images.psnr(solution.y, truth).mean())
    residual = solution.residuals.amax(0)
    return BudgetCurve(budgets, psnr, residual, seconds / budget / len(x))


def equilibrium_memory(
    model: DeblurringOperator, x: Tensor, *, iterations: int, adjoint: Implicit | Unrolled
) -> float:
    """Megabytes that a training step keeps for its backward pass (paper, section 7, Tables 3-4).

    The step goes through ``iterations`` of Picard's method from y_0 = x. Gradients are recorded
    throughout, so an adjoint that keeps the graph of its iterations is found out.
    """

    def loss() -> Tensor:
        solution = equilibrium(model, x, x, method=Picard(), max_steps=iterations, adjoint=adjoint)
        return solution.y.square().mean()

    with torch.enable_grad():
        return training.saved_bytes(loss) / 1e6


def unfolded_memory(model: Unfolded, x: Tensor) -> float:
    """Megabytes that a training step of an unfolded network keeps for its backward pass."""

    def loss() -> Tensor:
        y: Tensor = model(x)
        return y.square().mean()

    return training.saved_bytes(loss) / 1e6


def psnr_of_all(
    models: Mapping[str, nn.Module], truth: Tensor, *, blur: Blur, noise: float, seed: int
) -> dict[str, Tensor]:
    """Mean PSNR in dB of the measurement ("x") and of each model's `answer`, by name.

    The measurements are made with ``blur`` and ``noise``, drawn from ``seed``. The implicit models
    use this blur in their data step for the time of the call.
    """
    x = images.measure(truth, blur, generator=torch.Generator().manual_seed(seed), noise=noise)
    psnr = {"x": images.psnr(x, truth).mean()}
    for name, model in models.items():
        y = _answer_with_blur(model, x, blur)
        psnr[name] = images.psnr(y, truth).mean()
    return psnr


def _answer_with_blur(model: nn.Module, x: Tensor, blur: Blur) -> Tensor:
    if not isinstance(model, DeblurringOperator):
        return answer(model, x)
    own_blur = model.blur
    model.blur = blur
    try:
        return answer(model, x)
    finally:
        model.blur = own_blur
