"""How a solve ends: each failure has its own status, and the message gives advice."""

import math

import equilibria as eq
import pytest
import torch
from equilibria import Picard, Status
from equilibria.solvers import endings
from fixed_point_problems import symmetric


def ending(G, *, max_steps=100, tol=1e-9):
    """Status and solution of one sample, from 0 with x = 1, by Picard."""
    y0, x = torch.zeros(1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    solution = eq.solve(G, y0, x, method=Picard(), max_steps=max_steps, tol=tol, throw=False)
    return Status(int(solution.status[0])), solution


def tripling(y, x):
    """Picard's residual is |r_t| = 3^t, with |r_0| = |G(y_0)| = 1."""
    return 3 * y + x


def test_a_spent_budget():
    status, solution = ending(lambda y, x: 0.999 * y + x)
    assert status is Status.BUDGET_SPENT
    assert solution.steps == 100
    iterate = (1 - 0.999**100) / 0.001  # y_t, as without tol
    assert solution.y.item() == pytest.approx(iterate, rel=1e-12)


def test_divergence():
    status, solution = ending(tripling)
    assert status is Status.DIVERGED
    assert solution.y.isfinite().all()
    assert solution.steps == 1 + math.ceil(math.log(endings.DIVERGED_AT, 3))


def test_divergence_is_a_failure_also_when_only_a_budget_was_asked_for():
    status, _ = ending(tripling, tol=None)
    assert status is Status.DIVERGED


def test_a_cycle_is_stagnation():
    status, solution = ending(lambda y, x: x - y)  # 0, 1, 0, 1, ...
    assert status is Status.STAGNATED
    assert solution.steps < 100


def test_nan():
    status, solution = ending(lambda y, x: (1.5 - y).sqrt() + x)
    assert status is Status.NAN
    assert solution.y.isfinite().all()
    assert solution.steps == 2


def test_the_rounding_floor_is_stagnation():
    problem = symmetric(n=20, largest=0.5, dtype=torch.float32)
    noise = torch.Generator().manual_seed(0)

    def G(y, x):
        return problem.G(y, x) * (1 + 1e-6 * torch.rand(1, 20, generator=noise))

    settings = {"method": Picard(), "max_steps": 500, "tol": 1.5e-7}
    solution = eq.solve(G, problem.y0, problem.x, throw=False, **settings)
    assert solution.status.tolist() == [Status.STAGNATED]
    assert solution.steps < 200


def test_slow_convergence_is_not_stagnation():
    problem = symmetric(n=2, largest=0.9999)
    settings = {"method": Picard(), "max_steps": 500, "tol": 1e-9}
    solution = eq.solve(problem.G, problem.y0, problem.x, throw=False, **settings)
    assert solution.status.tolist() == [Status.BUDGET_SPENT]
    assert solution.steps == 500


def test_a_failed_solve_raises_with_its_solution_and_advice():
    x = torch.tensor([[0.5], [3.0], [0.999]], dtype=torch.float64)
    settings = {"method": Picard(), "max_steps": 100, "tol": 1e-6}
    with pytest.raises(eq.SolveError) as caught:
        eq.solve(lambda y, x: x * y + 1, torch.zeros_like(x), x, **settings)
    solution = caught.value.solution
    assert solution.status.tolist() == [Status.SUCCESS, Status.DIVERGED, Status.BUDGET_SPENT]
    assert solution.success.tolist() == [True, False, False]
    assert solution.y[0].item() == pytest.approx(2, rel=1e-5)
    message = str(caught.value)
    assert "1 of 3 samples DIVERGED (sample 1)" in message
    assert "damping" in message
    assert "1 of 3 samples BUDGET_SPENT (sample 2)" in message
    assert "max_steps" in message


def test_a_message_names_some_of_many_failed_samples():
    x = torch.full((12, 1), 3.0)
    with pytest.raises(
        eq.SolveError, match=r"12 of 12 .*\(sample 0, 1, 2, 3, 4, 5, 6, 7, \.\.\.\)"
    ):
        eq.solve(lambda y, x: x * y + 1, torch.zeros_like(x), x, method=Picard(), tol=1e-6)
