"""1/x: closed form, slope and modulus are those of the iteration; wrong steps are refused."""

import math

import pytest
import torch
from equilibria import lipschitz
from equilibria.operators.reciprocal import (
    NaiveReciprocal,
    RegularReciprocal,
    closed_form,
    predicted_iterations,
    slope,
)
from equilibria.solvers import solve

POSITIVE = torch.logspace(-6, 0, 25, dtype=torch.float64)[:, None]
X = torch.cat([POSITIVE, torch.tensor([[-1e-3], [-0.5]])])


def iterate(G, x, t):
    y = torch.zeros_like(x)
    for _ in range(t):
        y = G(y, x)
    return y


@pytest.mark.parametrize("eta", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("t", [0, 1, 2, 7, 100])
def test_closed_form_is_the_iterate(eta, t):
    iterates = iterate(RegularReciprocal(eta), X, t)
    assert torch.allclose(closed_form(X, t, eta), iterates, rtol=1e-12, atol=0)
    if t:  # a step that is off by a percent would be seen
        assert not torch.allclose(closed_form(X, t, 0.99 * eta), iterates, rtol=1e-4, atol=0)


@pytest.mark.parametrize("eta", [0.1, 0.9])
@pytest.mark.parametrize("t", [1, 2, 3, 30, 400])
def test_slope_is_the_derivative_of_the_iterate(eta, t):
    measured = lipschitz.local(lambda x: iterate(RegularReciprocal(eta), x, t), X)
    assert torch.allclose(slope(X, t, eta)[:, 0].abs(), measured, rtol=1e-6, atol=1e-12)
    x = X.clone().requires_grad_()
    (signed,) = torch.autograd.grad(iterate(RegularReciprocal(eta), x, t).sum(), x)
    assert torch.allclose(slope(X, t, eta), signed, rtol=1e-6, atol=1e-12)


def test_slope_keeps_its_digits_where_the_two_terms_cancel():
    x, t, eta = torch.tensor([1e-12, 1e-9, 1e-7], dtype=torch.float64), 1000, 0.5
    at_zero = torch.full_like(x, -(eta**2) * t * (t - 1) / 2)
    assert torch.allclose(slope(x, t, eta), at_zero, rtol=1e-3, atol=0)
    seam = 1e-2 / (t * eta)  # series on one side, difference on the other
    sides = torch.tensor([seam * (1 - 1e-9), seam * (1 + 1e-9)], dtype=torch.float64)
    below, above = slope(sides, t, eta).tolist()
    assert below == pytest.approx(above, rel=1e-8)


def test_at_zero_the_iterate_grows_linearly_and_nothing_is_nan():
    zero = torch.zeros(1, dtype=torch.float64)
    assert closed_form(zero, 7, 0.5) == 3.5
    assert slope(zero, 7, 0.5) == -0.25 * 21


def test_the_limit_is_one_over_x_at_the_rate_of_the_modulus():
    x, eta = torch.tensor([0.1, 0.5, 1.0], dtype=torch.float64), 0.4
    error = torch.stack([(closed_form(x, t, eta) - 1 / x).abs() for t in range(1, 12)])
    assert torch.allclose(error[1:] / error[:-1], RegularReciprocal(eta).modulus(x), rtol=1e-9)


@pytest.mark.parametrize(
    "G", [NaiveReciprocal(0.3), RegularReciprocal(0.3)], ids=["naive", "regular"]
)
def test_modulus_and_steepness_are_those_measured(G):
    x, y = POSITIVE, torch.full_like(POSITIVE, 2.5)
    assert torch.allclose(lipschitz.local(lambda y: G(y, x), y), G.modulus(x)[:, 0], rtol=1e-9)
    assert torch.allclose(
        lipschitz.local(lambda x: G(y, x), x), G.lipschitz_x(y, x)[:, 0], rtol=1e-9
    )
    solution = solve(G, torch.zeros_like(x[-5:]), x[-5:], tol=1e-12)
    assert torch.allclose(solution.y, 1 / x[-5:], rtol=1e-9)


def test_only_the_naive_operator_is_singular():
    near, far = torch.tensor([1e-6], dtype=torch.float64), torch.tensor([1.0], dtype=torch.float64)
    y = torch.ones_like(near)
    naive, regular = NaiveReciprocal(0.5), RegularReciprocal(0.5)
    assert naive.lipschitz_x(y, near) / naive.lipschitz_x(y, far) == pytest.approx(1e12)
    assert regular.lipschitz_x(y, near) == regular.lipschitz_x(y, far)


@pytest.mark.parametrize("tol", [1e-2, 1e-6])
def test_predicted_iterations_are_the_first_within_tolerance(tol):
    x, eta = torch.logspace(-2, 0, 40, dtype=torch.float64), 0.5
    t = predicted_iterations(x, tol, eta)
    for point, first in zip(x, t.tolist(), strict=True):
        at_first = (closed_form(point, first, eta) * point - 1).abs()
        just_before = (closed_form(point, first - 1, eta) * point - 1).abs()
        assert at_first <= tol * (1 + 1e-9) < just_before


def test_an_exact_power_is_not_rounded_up():
    assert predicted_iterations(torch.tensor([1.0], dtype=torch.float64), 0.25, 0.5).item() == 2


@pytest.mark.parametrize("eta", [0, 1, 2, -0.1, math.nan, True, "0.5"])
def test_a_step_outside_of_its_range_is_refused_by_all(eta):
    x = torch.ones(1)
    for call in (
        NaiveReciprocal,
        RegularReciprocal,
        lambda e: closed_form(x, 1, e),
        lambda e: slope(x, 1, e),
        lambda e: predicted_iterations(x, 0.1, e),
    ):
        with pytest.raises(ValueError, match="eta must be a number in"):
            call(eta)


def test_other_bad_input_is_named():
    x = torch.ones(1)
    for call, message in (
        (lambda: closed_form(x, -1, 0.5), "t must be"),
        (lambda: slope(x, 1.5, 0.5), "t must be"),
        (lambda: predicted_iterations(x, 1.0, 0.5), "tol must be"),
        (lambda: predicted_iterations(-x, 0.1, 0.5), "x must lie"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            call()
