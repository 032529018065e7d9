"""equilibria.adjoints: forward and adjoint solves that fail, and bad arguments."""

import equilibria as eq
import pytest
import torch
from differentiable_operators import Linear, draw, inverse_of_residual
from equilibria import Implicit, JacobianFree, NewtonKrylov, Phantom, Picard, Unrolled

ADJOINTS = [Implicit(), Phantom(), JacobianFree(), Unrolled()]


def type_name(value):
    return type(value).__name__


@pytest.mark.parametrize("adjoint", ADJOINTS, ids=type_name)
def test_a_failed_forward_solve_raises_or_says_so(adjoint):
    x = torch.tensor([[0.5], [3.0]], dtype=torch.float64, requires_grad=True)
    y0 = torch.zeros(2, 1, dtype=torch.float64)
    settings = {"method": Picard(), "max_steps": 60, "tol": 1e-6, "adjoint": adjoint}

    def G(y, x):
        return x * y + 1

    with pytest.raises(eq.SolveError, match="1 of 2 samples DIVERGED"):
        eq.equilibrium(G, y0, x, **settings)
    solution = eq.equilibrium(G, y0, x, throw=False, **settings)
    assert solution.success.tolist() == [True, False]


def linear_gradient(adjoint):
    """The gradient of sum(weight * y*) with respect to x, of a linear operator."""
    x = draw(2).requires_grad_()
    y = eq.equilibrium(Linear(), torch.zeros_like(x), x, max_steps=200, tol=1e-13, adjoint=adjoint)
    return torch.autograd.grad((draw(3) * y.y).sum(), x)[0]


def test_a_failed_adjoint_solve_raises_and_is_recorded():
    records = []
    adjoint = Implicit(tol=1e-12, max_steps=3, record=records.append)
    message = "adjoint solve failed: 3 of 3 samples BUDGET_SPENT"
    with pytest.raises(eq.SolveError, match=message) as caught:
        linear_gradient(adjoint)
    assert caught.value.solution is records[0]
    assert records[0].steps.tolist() == [3, 3, 3]


def test_a_failed_adjoint_solve_warns_where_it_may_not_raise():
    with pytest.warns(RuntimeWarning, match="adjoint solve failed"):
        gradient = linear_gradient(Implicit(tol=1e-12, max_steps=3, throw=False))
    exact = draw(3) @ inverse_of_residual(Linear().a)
    assert 1e-6 < (gradient - exact).abs().max() < 1  # three steps: near, and not there


def test_a_diverging_adjoint_raises():
    """Anderson finds y* of an expansive map; Picard cannot find its adjoint state."""
    x = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    slope = torch.tensor([-4.0, -0.5, 0.5], dtype=torch.float64)

    def total(adjoint):
        y0 = torch.zeros(2, 3, dtype=torch.float64)
        return eq.equilibrium(lambda y, x: slope * y + x, y0, x, tol=1e-10, adjoint=adjoint).y.sum()

    with pytest.raises(eq.SolveError, match="adjoint solve failed: 2 of 2 samples DIVERGED"):
        total(Implicit(method=Picard(), tol=1e-10)).backward()
    (gradient,) = torch.autograd.grad(total(Implicit(tol=1e-10)), x)
    torch.testing.assert_close(gradient, (1 / (1 - slope)).expand(2, 3), rtol=1e-8, atol=0)


NOT_NEWTON = "method must be a Picard, Anderson or Broyden object, got NewtonKrylov"
IMPOSSIBLE = [
    (Implicit, {"method": "picard"}, TypeError, r"method must be .* got 'picard'"),
    (Implicit, {"method": NewtonKrylov()}, TypeError, NOT_NEWTON),
    (Implicit, {"max_steps": 0}, ValueError, "max_steps must be at least 1, got 0"),
    (Implicit, {"tol": -1}, ValueError, r"tol must be in .* got -1"),
    (Implicit, {"tol": 0}, ValueError, r"tol must be in .* got 0"),
    (Implicit, {"tol": 1}, ValueError, r"tol must be in .* got 1"),
    (Implicit, {"tol": "backward"}, TypeError, r"tol must be .* 'forward', got 'backward'"),
    (Implicit, {"record": 3}, TypeError, "record must be callable or None, got 3"),
    (Implicit, {"throw": 1}, TypeError, "throw must be a bool, got 1"),
    (Phantom, {"steps": 0}, ValueError, "steps must be at least 1, got 0"),
    (Phantom, {"damping": 2}, ValueError, r"damping must be in .* got 2"),
    (JacobianFree, {"memory": 1}, TypeError, "memory"),
]


@pytest.mark.parametrize(("adjoint", "settings", "error", "match"), IMPOSSIBLE)
def test_impossible_settings_are_refused_when_built(adjoint, settings, error, match):
    with pytest.raises(error, match=match):
        adjoint(**settings)


NOT_PICARD = r"method must be Picard for adjoint=Unrolled\(\), got Anderson"
TOO_TIGHT = r"adjoint.tol must be at least .*torch.float32, got 1e-09"
BAD_INPUT = [
    (TypeError, r"adjoint must be .* got <class", {"adjoint": Implicit}),
    (ValueError, NOT_PICARD, {"adjoint": Unrolled()}),
    (ValueError, TOO_TIGHT, {"adjoint": Implicit(tol=1e-9)}),
    (ValueError, "max_steps must be at least 1, got 0", {"max_steps": 0}),
    (TypeError, "throw must be a bool", {"throw": None}),
    (TypeError, "tolerance", {"tolerance": 1e-3}),
]


@pytest.mark.parametrize(("error", "match", "change"), BAD_INPUT)
def test_bad_input_is_refused_before_the_first_evaluation(error, match, change):
    def G(y, x):
        raise AssertionError("G was evaluated")

    with pytest.raises(error, match=match):
        eq.equilibrium(G, torch.zeros(2, 3), torch.ones(2, 3), **change)
