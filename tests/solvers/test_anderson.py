"""Anderson acceleration: its speed on symmetric problems, and its equivalence to GMRES."""

import equilibria as eq
import pytest
import torch
from equilibria import Anderson, Status
from fixed_point_problems import dense, relative_error, relative_residual, rotation, symmetric


@pytest.mark.parametrize("seed", range(6))
def test_anderson_on_the_symmetric_contraction(seed):
    problem = symmetric(batch=4, seed=seed)
    method = Anderson(history=10)
    solution = eq.solve(problem.G, problem.y0, problem.x, method=method, max_steps=149, tol=1e-8)
    assert solution.steps.max() < 150
    assert (relative_residual(problem, solution.y) <= 1e-8).all()
    assert (relative_error(solution.y, problem.exact) < 1e-8 / (1 - problem.rate)).all()


def gmres_residuals(m, b, count):
    """The least |b - m y| over the Krylov spaces of dimension 1, ..., count."""
    krylov = torch.stack([torch.linalg.matrix_power(m, k) @ b for k in range(count)], dim=1)
    q = torch.linalg.qr(m @ krylov)[0]
    residuals = [(b - q[:, :k] @ (q[:, :k].T @ b)).norm() for k in range(1, count + 1)]
    return torch.stack(residuals)


def test_anderson_is_gmres_on_a_linear_problem():
    """With a full history, residuals are those of GMRES on (1 - A) y = x, one evaluation later.

    y_t is G at the minimiser, so that its residual is A times the least one (Walker and Ni 2011);
    |A r| = radius |r| here.
    """
    problem = rotation(batch=1)
    method = Anderson(history=30)
    m = torch.eye(40, dtype=torch.float64) - dense(problem)
    least = gmres_residuals(m, problem.x[0], 10)
    measured = []
    for count in range(2, 12):
        solution = eq.solve(problem.G, problem.y0, problem.x, method=method, max_steps=count)
        assert solution.status.tolist() == [Status.SUCCESS]
        measured.append((problem.G(solution.y, problem.x) - solution.y)[0].norm())
    ratio = torch.stack(measured) / least
    torch.testing.assert_close(ratio, torch.full_like(ratio, problem.rate), rtol=1e-6, atol=0)
