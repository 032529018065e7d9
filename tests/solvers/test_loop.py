"""The loop: budgets and traces, samples that do not see each other, and no waiting for a device."""

import equilibria as eq
import pytest
import torch
from equilibria import Picard, Status
from equilibria.solvers import endings, loop
from fixed_point_problems import mixed, relative_residual, rotation
from solver_methods import METHODS, method_name
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode

# ---------------------------------------------------------------------------- budgets and traces


@pytest.mark.parametrize("method", METHODS, ids=method_name)
@pytest.mark.parametrize("budget", [1, 2, 7, 40])
def test_no_tol_spends_exactly_the_budget(method, budget):
    problem = rotation()
    calls = 0

    def G(y, x):
        nonlocal calls
        calls += 1
        return problem.G(y, x)

    solution = eq.solve(G, problem.y0, problem.x, method=method, max_steps=budget)
    assert calls == budget
    assert solution.steps.tolist() == [budget] * 4
    assert solution.residuals.shape == (4, budget)
    assert solution.residuals.isfinite().all()
    assert solution.status.tolist() == [Status.SUCCESS] * 4


@pytest.mark.parametrize("method", METHODS, ids=method_name)
def test_residuals_are_measured_before_damping_at_every_evaluation(method):
    problem, measured = rotation(), []

    def G(y, x):
        g = problem.G(y, x)
        value = forward_ad.unpack_dual(y)[0]
        image = forward_ad.unpack_dual(g)[0]
        measured.append((image - value).norm(dim=1) / image.norm(dim=1))
        return g

    solution = eq.solve(G, problem.y0, problem.x, method=method, max_steps=30)
    expected = torch.stack(measured, dim=1)
    torch.testing.assert_close(solution.residuals, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("method", METHODS, ids=method_name)
def test_a_solved_sample_returns_the_point_that_passed(method):
    problem = rotation()
    solution = eq.solve(problem.G, problem.y0, problem.x, method=method, max_steps=500, tol=1e-7)
    last = solution.residuals.gather(1, solution.steps[:, None] - 1)[:, 0]
    before = solution.residuals.gather(1, solution.steps[:, None] - 2)[:, 0]
    residual = relative_residual(problem, solution.y)
    torch.testing.assert_close(residual, last, rtol=1e-6, atol=1e-15)
    assert (last <= 1e-7).all()
    assert (before > 1e-7).all()
    ended = torch.arange(solution.residuals.shape[1]) >= solution.steps[:, None]
    assert torch.equal(solution.residuals.isnan(), ended)
    assert solution.residuals.shape[1] == solution.steps.max()


def test_no_gradients_and_inputs_untouched():
    problem = rotation()
    x = problem.x.clone().requires_grad_()
    y0 = problem.y0.clone().requires_grad_()
    solution = eq.solve(problem.G, y0, x, max_steps=5)
    assert not solution.y.requires_grad
    assert torch.equal(x, problem.x)
    assert torch.equal(y0, problem.y0)


def test_x_may_be_any_object():
    class Input:
        bias = torch.full((2, 3), 0.5)

    solution = eq.solve(
        lambda y, x: 0.5 * y + x.bias, torch.zeros(2, 3), Input(), max_steps=60, tol=1e-6
    )
    assert solution.y.mean() == pytest.approx(1, abs=1e-4)


# ------------------------------------------------------------------------- samples on their own


@pytest.mark.parametrize("tol", [1e-9, None], ids=["tol", "budget"])
@pytest.mark.parametrize("method", METHODS, ids=method_name)
def test_a_batch_of_32_gives_each_sample_what_it_gets_alone(method, tol):
    problem = mixed()
    settings = {"method": method, "max_steps": 60 if tol is None else 1500, "tol": tol}
    together = eq.solve(problem.G, problem.y0, problem.x, **settings)
    assert tol is None or len(together.steps.unique()) > 3
    for i in range(32):
        alone = eq.solve(problem.G, problem.y0[i : i + 1], problem.x[i : i + 1], **settings)
        assert alone.steps[0] == together.steps[i]
        assert alone.status[0] == together.status[i]
        torch.testing.assert_close(alone.y[0], together.y[i], rtol=1e-12, atol=1e-12)
        trace = together.residuals[i, : alone.residuals.shape[1]]
        torch.testing.assert_close(alone.residuals[0], trace, rtol=1e-9, atol=1e-14)


EXPLODES, TURNS_NAN, IS_NAN = 1, 2, 3


def sick(problem):
    """G(y, [kind, x]) of ``problem``, which is ill for samples of the three kinds above."""

    def G(y, kind_and_x):
        kind, x = kind_and_x[:, :1], kind_and_x[:, 1:]
        g = problem.G(y, x)
        exploding = 1 + y + (1 + y) ** 2  # no real fixed point; grows without limit
        g = torch.where(kind == EXPLODES, exploding, g)
        nan_after_start = torch.where(y.abs() > 0.01, torch.nan, g)
        g = torch.where(kind == TURNS_NAN, nan_after_start, g)
        return torch.where(kind == IS_NAN, torch.nan, g)

    return G


@pytest.mark.parametrize("looks", [True, False], ids=["host looks", "host never looks"])
@pytest.mark.parametrize("tol", [1e-9, None], ids=["tol", "budget"])
@pytest.mark.parametrize("method", METHODS, ids=method_name)
def test_neighbours_that_diverge_or_turn_nan_change_nothing(method, tol, looks, monkeypatch):
    monkeypatch.setattr(loop, "host_sync_is_cheap", lambda y: looks)
    problem = mixed()
    kind = torch.zeros(32, 1, dtype=torch.float64)
    kind[2], kind[9], kind[31] = EXPLODES, TURNS_NAN, IS_NAN
    bad = kind[:, 0] > 0
    settings = {"method": method, "max_steps": 60 if tol is None else 1500, "tol": tol}
    healthy = eq.solve(problem.G, problem.y0, problem.x, **settings)
    x = torch.cat([kind, problem.x], dim=1)
    solution = eq.solve(sick(problem), problem.y0, x, throw=False, **settings)
    torch.testing.assert_close(solution.y[~bad], healthy.y[~bad], rtol=1e-12, atol=1e-12)
    assert torch.equal(solution.steps[~bad], healthy.steps[~bad])
    assert torch.equal(solution.status[~bad], healthy.status[~bad])
    assert solution.y.isfinite().all()
    assert solution.status[31] == Status.NAN
    assert solution.steps[31] == 1
    if isinstance(method, Picard):
        assert solution.status[[2, 9]].tolist() == [Status.DIVERGED, Status.NAN]
    elif tol is not None:
        assert not solution.success[bad].any()


# ------------------------------------------------------------------------ not waiting for a device


@pytest.mark.parametrize("method", METHODS, ids=method_name)
@pytest.mark.parametrize("tol", [1e-9, None], ids=["tol", "budget"])
def test_the_path_without_host_looks_agrees(method, tol, monkeypatch):
    problem = mixed(8)
    settings = {"method": method, "max_steps": 60 if tol is None else 1500, "tol": tol}
    looking = eq.solve(problem.G, problem.y0, problem.x, **settings)
    monkeypatch.setattr(loop, "host_sync_is_cheap", lambda y: False)
    blind = eq.solve(problem.G, problem.y0, problem.x, **settings)
    torch.testing.assert_close(blind.y, looking.y, rtol=1e-12, atol=1e-12)
    assert torch.equal(blind.steps, looking.steps)
    assert torch.equal(blind.status, looking.status)


class CountWaits(TorchDispatchMode):
    """Counts the operations that make the host wait for a device."""

    WAITING = (
        torch.ops.aten._local_scalar_dense.default,
        torch.ops.aten.is_nonzero.default,
        torch.ops.aten.nonzero.default,
    )
    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function in self.WAITING:
            self.count += 1
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("method", METHODS, ids=method_name)
def test_no_host_synchronisation_per_step(method, monkeypatch):
    monkeypatch.setattr(loop, "host_sync_is_cheap", lambda y: False)
    problem = mixed(4)

    def waits(steps, tol):
        settings = {"method": method, "max_steps": steps, "tol": tol, "throw": False}
        with CountWaits() as counter:
            eq.solve(problem.G, problem.y0, problem.x, **settings)
        return counter.count

    assert waits(60, None) == waits(10, None)
    looks = 60 // endings.SYNC_EVERY - 10 // endings.SYNC_EVERY
    assert waits(60, 1e-15) - waits(10, 1e-15) <= looks
