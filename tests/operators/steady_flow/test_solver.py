"""Solving the steady equation: every method, weak and strong forcing, and what is refused."""

import pytest
import torch
from equilibria import Anderson, Picard, SolveError, lipschitz
from equilibria.operators import steady_flow
from equilibria.operators.steady_flow import solver, steady_state
from equilibria.problems.flow_equation import curl, manufacture, residual
from steady_flows import NU, f64, field, forced, largest_error


@pytest.mark.parametrize(
    "method", [Picard(), Anderson(), None], ids=["picard", "anderson", "newton"]
)
def test_every_method_finds_the_manufactured_flow(method):
    f, w = forced(3, std=0.01)
    found = steady_state(f, NU, method=method, tol=1e-12, max_steps=400)
    assert largest_error(found.y, w) < 1e-10


def test_picard_contracts_at_the_rate_of_its_operator():
    f, w = forced(1, std=0.01)
    c = curl(f)
    G = steady_flow.operator(NU)
    rate = lipschitz.local(lambda w: G(w, c), w, max_steps=60).item()
    found = steady_state(f, NU, method=Picard(), tol=1e-12, max_steps=400)
    residuals = found.residuals[0]
    assert rate < 0.5
    assert bool((residuals[2:12] <= rate * residuals[1:11]).all())
    assert residuals[1] > rate**2 * residuals[0] / 2


def test_picard_fails_where_anderson_does_not():
    f, _ = forced(4, std=0.1)
    with pytest.raises(SolveError):
        steady_state(f, NU, method=Picard(), max_steps=300)
    found = steady_state(f, NU, method=Anderson(history=20), max_steps=300, throw=False)
    assert found.success.sum() >= 2


@pytest.mark.parametrize("n", [32, 64])
@pytest.mark.parametrize("std", [0.05, 0.1])
def test_every_flow_of_moderate_amplitude_is_followed_from_rest(std, n):
    f = manufacture(field(4, n, std=std, seed=3), NU)
    found = steady_state(f, NU)
    assert found.success.all()
    assert (found.residuals.nan_to_num(1.0).amin(1) <= 1e-8).all()
    assert residual(found.y, f, NU).max() < 1e-6
    alone = steady_state(f[2:3], NU)  # a sample is solved as if it were alone
    assert largest_error(alone.y, found.y[2:3]) < 1e-6


def test_no_forcing_no_flow():
    still = torch.zeros(2, 2, 16, 16, dtype=f64)
    assert steady_state(still, NU).y.abs().max() == 0


def test_dtype_follows_the_forcing():
    f, _ = forced(2)
    assert steady_state(f.float(), NU).y.dtype == torch.float32


@pytest.mark.parametrize("size", [1e100, 1e160])
def test_a_forcing_beyond_all_numbers_is_not_solved(size):
    f = size * manufacture(field(1, 16), NU)
    assert not steady_state(f, NU, throw=False, max_steps=50).success.any()


def test_following_comes_after_the_checks(monkeypatch):
    monkeypatch.setattr(
        solver, "flow_from_rest", lambda *_: pytest.fail("a long computation began")
    )
    f, _ = forced(1)
    with pytest.raises(ValueError, match="tol must be in"):
        steady_state(f, NU, tol=2.0)
    with pytest.raises(ValueError, match="max_steps must be at least 1, got 0"):
        steady_state(f, NU, max_steps=0)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda f, w: steady_state(f, -1.0), "viscosity must be a positive number"),
        (lambda f, w: steady_state(f[:, :1], NU), "forcing must have shape"),
        (lambda f, w: steady_state(f, NU, start=w[:1]), "one batch size"),
        (lambda f, w: steady_state(f, NU, start=w + 1), "start must have mean zero"),
    ],
)
def test_bad_input_is_named(call, message):
    f, w = forced(2, 16)
    with pytest.raises(ValueError, match=message):
        call(f, w)
