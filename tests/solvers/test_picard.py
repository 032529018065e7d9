"""Picard's iteration: its rate, and the paper's trajectory."""

import math

import equilibria as eq
import pytest
import torch
from equilibria import Picard
from fixed_point_problems import reciprocal, rotation, symmetric


def late_rate(method, problem, steps):
    """The factor per step by which the residual falls in the last ten steps."""
    solution = eq.solve(problem.G, problem.y0, problem.x, method=method, max_steps=steps)
    residuals = solution.residuals[0]
    return (residuals[-1] / residuals[-11]) ** 0.1


@pytest.mark.parametrize("largest", [0.5, 0.9, 0.99])
def test_picard_converges_at_the_contraction_factor(largest):
    steps = round(math.log(1e-8) / math.log(largest))
    rate = late_rate(Picard(), symmetric(n=4, largest=largest), steps)
    assert rate == pytest.approx(largest, rel=0.02)


def test_damped_picard_converges_at_its_own_factor():
    rate = late_rate(Picard(damping=0.25), symmetric(n=4, largest=0.9), 400)
    assert rate == pytest.approx(1 - 0.25 * (1 - 0.9), rel=1e-3)


def test_picard_without_tol_is_the_trajectory():
    problem = rotation()
    iterates = list(eq.trajectory(problem.G, problem.y0, problem.x, 6))
    assert len(iterates) == 6
    for t, y in enumerate(iterates, start=1):
        solution = eq.solve(problem.G, problem.y0, problem.x, method=Picard(), max_steps=t)
        assert torch.equal(solution.y, y)


def test_trajectory_of_one_over_x_is_the_closed_form():
    eta = 0.3
    problem = reciprocal([0.1, 0.5, 1.0], eta=eta)
    for t, y in enumerate(eq.trajectory(problem.G, problem.y0, problem.x, 50), start=1):
        closed_form = (1 - (1 - eta * problem.x) ** t) / problem.x
        torch.testing.assert_close(y, closed_form, rtol=1e-13, atol=0)


def test_trajectory_refuses_bad_input_when_called():
    y0, x = torch.zeros(2, 3), torch.ones(2, 3)

    def G(y, x):
        raise AssertionError("G was evaluated")

    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        eq.trajectory(G, y0, x, 0)
    with pytest.raises(TypeError, match="x must be of y0's dtype"):
        eq.trajectory(G, y0, x.double(), 3)
