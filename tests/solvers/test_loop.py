"""equilibria.solvers: rates, independence of samples, statuses, traces, bad input, and no waiting for the host."""

import math

import equilibria as eq
import pytest
import torch
from equilibria import Anderson, Broyden, NewtonKrylov, Picard, Status
from equilibria.solvers import loop as fixed_point
from fixed_point_problems import (
    Problem,
    cubic,
    generator,
    reciprocal,
    relative_error,
    rotation,
    symmetric,
    two_sided,
)
from torch.utils._python_dispatch import TorchDispatchMode

METHODS = [
    Picard(),
    Picard(damping=0.7),
    Anderson(),
    Anderson(damping=0.6),
    Broyden(),
    Broyden(damping=0.6),
    NewtonKrylov(),
]
ACCELERATED = [m for m in METHODS if not isinstance(m, Picard)]
name = lambda method: f"{type(method).__name__}-{getattr(method, 'damping', '')}"


def residual(problem, y):
    g = problem.G(y, problem.x)
    return (g - y).flatten(1).norm(dim=1) / g.flatten(1).norm(dim=1)


# ------------------------------------------------------------------------------------------------------ rates, answers


@pytest.mark.parametrize("largest", [0.5, 0.9, 0.99])
def test_picard_converges_at_the_contraction_factor(largest):
    problem = symmetric(n=4, largest=largest)
    steps = round(math.log(1e-8) / math.log(largest))
    r = eq.solve(problem.G, problem.y0, problem.x, method=Picard(), max_steps=steps).residuals[0]
    rate = (r[-1] / r[-11]) ** 0.1
    assert rate == pytest.approx(largest, rel=0.02)


def test_damped_picard_converges_at_its_own_factor():
    problem = symmetric(n=4, largest=0.9)
    r = eq.solve(
        problem.G, problem.y0, problem.x, method=Picard(damping=0.25), max_steps=400
    ).residuals[0]
    assert (r[-1] / r[-11]) ** 0.1 == pytest.approx(1 - 0.25 * (1 - 0.9), rel=1e-3)


@pytest.mark.parametrize("seed", range(6))
def test_anderson_on_the_symmetric_contraction(seed):
    problem = symmetric(batch=4, seed=seed)
    solution = eq.solve(
        problem.G, problem.y0, problem.x, method=Anderson(history=10), max_steps=149, tol=1e-8
    )
    assert solution.steps.max() < 150
    assert (residual(problem, solution.y) <= 1e-8).all()
    assert (relative_error(solution.y, problem.exact) < 1e-8 / (1 - problem.rate)).all()


def test_anderson_is_gmres_on_a_linear_problem():
    """With a full history the residuals of Anderson are those of GMRES on (1 - A) y = x, one evaluation later (Walker, Ni 2011)."""
    problem = rotation(batch=1)
    r = eq.solve(problem.G, problem.y0, problem.x, method=Anderson(history=30), max_steps=12)
    a = torch.stack(
        [
            problem.G(e[None], torch.zeros_like(e)[None])[0]
            for e in torch.eye(40, dtype=torch.float64)
        ],
        dim=1,
    )
    m = torch.eye(40, dtype=torch.float64) - a
    b = problem.x[0]
    krylov = torch.stack([torch.linalg.matrix_power(m, k) @ b for k in range(10)], dim=1)
    q = torch.linalg.qr(m @ krylov)[0]
    least = torch.stack(
        [(b - q[:, :k] @ (q[:, :k].T @ b)).norm() for k in range(1, 11)]
    )  # GMRES residuals
    y, measured = problem.y0, []
    for count in range(2, 12):  # y_t = G at the minimiser: its residual is A times the minimal one
        y = eq.solve(
            problem.G, problem.y0, problem.x, method=Anderson(history=30), max_steps=count
        ).y
        measured.append((problem.G(y, problem.x) - y)[0].norm())
    bound = torch.stack(measured) / least
    torch.testing.assert_close(
        bound, torch.full_like(bound, problem.rate), rtol=1e-6, atol=0
    )  # |A r| = radius |r| here
    assert r.status.tolist() == [Status.SUCCESS]


def test_broyden_equals_the_dense_update():
    """Good Broyden with the dense inverse Jacobian, from -damping I, step by step."""
    problem, damping = rotation(batch=1), 0.8
    y, h = problem.y0[0], -damping * torch.eye(40, dtype=torch.float64)
    r = problem.G(y[None], problem.x)[0] - y
    for t in range(1, 9):
        s = -h @ r
        y = y + s
        after = problem.G(y[None], problem.x)[0] - y
        change = after - r
        h = h + torch.outer(s - h @ change, s @ h) / (s @ h @ change)
        r = after
        ours = eq.solve(
            problem.G,
            problem.y0,
            problem.x,
            method=Broyden(history=20, damping=damping),
            max_steps=t,
        ).y[0]
        torch.testing.assert_close(ours, y, rtol=1e-9, atol=1e-10)


def test_newton_krylov_on_a_linear_problem_needs_one_direction():
    problem = two_sided(batch=3, n=20)
    solution = eq.solve(
        problem.G, problem.y0, problem.x, method=NewtonKrylov(forcing=1e-10), max_steps=40, tol=1e-9
    )
    assert (solution.steps <= 1 + 20 + 1).all()  # start, at most n products, the trial
    assert (relative_error(solution.y, problem.exact) < 1e-8).all()
    first = solution.residuals[:, 0:1]
    assert (
        solution.residuals[:, 1 : int(solution.steps.min()) - 1] == first
    ).all()  # a product keeps the residual of its y


def test_newton_krylov_converges_faster_than_linearly():
    problem = cubic(n=5)
    solution = eq.solve(
        problem.G,
        problem.y0,
        problem.x,
        method=NewtonKrylov(forcing=1e-8),
        max_steps=200,
        tol=1e-13,
    )
    for row in solution.residuals:
        seen = torch.unique_consecutive(row[row.isfinite() & (row > 0)])
        late = seen[(seen < 1e-2) & (seen > 1e-12)]
        assert len(late) <= 3  # 1e-2, 1e-4, 1e-8


@pytest.mark.parametrize("method", METHODS, ids=name)
@pytest.mark.parametrize(
    "problem",
    [symmetric(n=40, batch=3, largest=0.9), rotation(), reciprocal([0.05, 0.4, 1.0])],
    ids=["symmetric", "rotation", "reciprocal"],
)
def test_every_method_solves_every_contraction(method, problem):
    solution = eq.solve(problem.G, problem.y0, problem.x, method=method, max_steps=2000, tol=1e-12)
    assert (residual(problem, solution.y) <= 1e-12).all()
    assert (relative_error(solution.y, problem.exact) < 1e-10).all()


@pytest.mark.parametrize("method", ACCELERATED, ids=name)
@pytest.mark.parametrize("problem", [two_sided(), cubic(steep=1.5)], ids=["two_sided", "cubic"])
def test_secant_and_newton_methods_solve_what_picard_cannot(method, problem):
    picard = eq.solve(
        problem.G, problem.y0, problem.x, method=Picard(), max_steps=300, tol=1e-10, throw=False
    )
    assert not picard.success.any()
    solution = eq.solve(problem.G, problem.y0, problem.x, method=method, max_steps=600, tol=1e-10)
    assert (relative_error(solution.y, problem.exact) < 1e-8).all()


@pytest.mark.parametrize("method", [Anderson(), Broyden()], ids=name)
def test_float32(method):
    problem = symmetric(batch=3, dtype=torch.float32)
    solution = eq.solve(problem.G, problem.y0, problem.x, method=method, max_steps=150, tol=2e-6)
    assert solution.y.dtype == solution.residuals.dtype == torch.float32
    assert (relative_error(solution.y, problem.exact) < 2e-4).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("method", [Picard(), Anderson(), Broyden()], ids=name)
def test_half_precision(method, dtype):
    problem = symmetric(n=16, batch=2, largest=0.8)
    q = lambda y, x: problem.G(y.double(), x.double()).to(dtype)
    solution = eq.solve(q, problem.y0.to(dtype), problem.x.to(dtype), method=method, max_steps=60)
    assert solution.y.dtype == dtype
    assert (relative_error(solution.y.double(), problem.exact) < 10 * torch.finfo(dtype).eps).all()


def test_safeguard_takes_nan_and_explosions_back():
    """G is NaN beyond |y| = 6 and steep: secant steps leave the domain, and come back."""
    problem = cubic(batch=4, n=10, steep=3.0)
    fragile = lambda y, x: torch.where(
        (y.abs() > 6).any(1, keepdim=True), torch.nan, problem.G(y, x)
    )
    plain = eq.solve(fragile, problem.y0, problem.x, method=Picard(), max_steps=100, throw=False)
    assert (plain.status == Status.NAN).all()
    for method in (Anderson(), Broyden(), NewtonKrylov()):
        solution = eq.solve(fragile, problem.y0, problem.x, method=method, max_steps=600, tol=1e-10)
        assert (relative_error(solution.y, problem.exact) < 1e-8).all(), method
        assert not solution.residuals[:, 0].isnan().any()
        inside = torch.arange(solution.residuals.shape[1]) < solution.steps[:, None]
        assert torch.equal(
            inside, ~solution.residuals.isnan()
        )  # a rejected NaN reads as infinity: NaN is after the end


def test_continuation_reaches_the_far_solution():
    """y = -s c sinh(y) + s x, from easy (s = 0.2) to hard (s = 1)."""
    x = torch.tensor([[50.0], [400.0]], dtype=torch.float64)
    G = lambda y, x: -x * torch.sinh(3 * y) + 2 * x
    seen = []

    def path(x, s):
        assert s.shape == (2,)
        seen.append(s.clone())
        return s[:, None] * x

    method = NewtonKrylov(continuation=(0.02, 0.2, 1.0), path=path)
    solution = eq.solve(G, torch.zeros_like(x), x, method=method, max_steps=300, tol=1e-10)
    assert ((G(solution.y, x) - solution.y).abs() <= 1e-8 * x).all()
    assert torch.stack(seen).unique().tolist() == [0.02, 0.2, 1.0]
    one = [
        eq.solve(
            G,
            torch.zeros(1, 1, dtype=torch.float64),
            x[i : i + 1],
            max_steps=300,
            tol=1e-10,
            method=NewtonKrylov(continuation=(0.02, 0.2, 1.0), path=lambda x, s: s[:, None] * x),
        )
        for i in range(2)
    ]
    assert [int(s.steps) for s in one] == solution.steps.tolist()
    wrong = NewtonKrylov(continuation=(0.5, 0.9), path=lambda x, s: s[:, None] * x)
    with pytest.raises(ValueError, match="path.*0.9.*must be x"):
        eq.solve(G, torch.zeros_like(x), x, method=wrong, tol=1e-6)


class Cube(torch.autograd.Function):
    """y^3 with a backward pass and no forward mode."""

    @staticmethod
    def forward(ctx, y):
        ctx.save_for_backward(y)
        return y**3

    @staticmethod
    def backward(ctx, g):
        return 3 * ctx.saved_tensors[0] ** 2 * g


def test_newton_krylov_without_forward_mode():
    exact = torch.randn(3, 6, generator=generator(1), dtype=torch.float64)
    solution = eq.solve(
        lambda y, x: x - Cube.apply(y),
        torch.zeros_like(exact),
        exact + exact**3,
        method=NewtonKrylov(),
        max_steps=200,
        tol=1e-12,
    )
    assert (relative_error(solution.y, exact) < 1e-10).all()


def test_newton_krylov_refuses_what_it_cannot_differentiate():
    class Opaque(Cube):
        backward = staticmethod(torch.autograd.function.once_differentiable(Cube.backward))

    x = torch.ones(1, 2, dtype=torch.float64)
    with pytest.raises(RuntimeError, match="neither a forward mode nor a second derivative"):
        eq.solve(lambda y, x: x - Opaque.apply(y), 0.1 * x, x, method=NewtonKrylov(), tol=1e-6)


# ---------------------------------------------------------------------------------------------------- budgets, traces


@pytest.mark.parametrize("method", METHODS, ids=name)
@pytest.mark.parametrize("budget", [1, 2, 7, 40])
def test_no_tol_spends_exactly_the_budget(method, budget):
    problem, calls = rotation(), []
    G = lambda y, x: calls.append(1) or problem.G(y, x)
    solution = eq.solve(G, problem.y0, problem.x, method=method, max_steps=budget)
    assert len(calls) == budget
    assert solution.steps.tolist() == [budget] * 4
    assert solution.residuals.shape == (4, budget) and solution.residuals.isfinite().all()
    assert solution.status.tolist() == [Status.SUCCESS] * 4


def test_picard_without_tol_is_the_trajectory():
    problem = rotation()
    for t, y in enumerate(eq.trajectory(problem.G, problem.y0, problem.x, 6), start=1):
        assert torch.equal(
            eq.solve(problem.G, problem.y0, problem.x, method=Picard(), max_steps=t).y, y
        )
    assert t == 6


def test_trajectory_of_one_over_x_is_the_closed_form():
    eta, problem = 0.3, reciprocal([0.1, 0.5, 1.0], eta=0.3)
    for t, y in enumerate(eq.trajectory(problem.G, problem.y0, problem.x, 50), start=1):
        torch.testing.assert_close(
            y, (1 - (1 - eta * problem.x) ** t) / problem.x, rtol=1e-13, atol=0
        )


@pytest.mark.parametrize("method", METHODS, ids=name)
def test_residuals_are_measured_before_damping_at_every_evaluation(method):
    problem, seen = rotation(), []

    def G(y, x):
        g = problem.G(y, x)
        value, image = (
            torch.autograd.forward_ad.unpack_dual(y)[0],
            torch.autograd.forward_ad.unpack_dual(g)[0],
        )
        seen.append((image - value).norm(dim=1) / image.norm(dim=1))
        return g

    solution = eq.solve(G, problem.y0, problem.x, method=method, max_steps=30)
    torch.testing.assert_close(solution.residuals, torch.stack(seen, dim=1), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("method", METHODS, ids=name)
def test_a_solved_sample_returns_the_point_that_passed(method):
    problem = rotation()
    solution = eq.solve(problem.G, problem.y0, problem.x, method=method, max_steps=500, tol=1e-7)
    last = solution.residuals.gather(1, solution.steps[:, None] - 1)[:, 0]
    torch.testing.assert_close(residual(problem, solution.y), last, rtol=1e-6, atol=1e-15)
    before = solution.residuals.gather(1, solution.steps[:, None] - 2)[:, 0]
    assert (last <= 1e-7).all() and (before > 1e-7).all()
    ended = torch.arange(solution.residuals.shape[1]) >= solution.steps[:, None]
    assert torch.equal(solution.residuals.isnan(), ended)
    assert solution.residuals.shape[1] == solution.steps.max()


def test_no_gradients_and_inputs_untouched():
    problem = rotation()
    x = problem.x.clone().requires_grad_()
    y0 = problem.y0.clone().requires_grad_()
    solution = eq.solve(problem.G, y0, x, max_steps=5)
    assert not solution.y.requires_grad
    assert torch.equal(x, problem.x) and torch.equal(y0, problem.y0)


@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 2, 4, 1)], ids=str)
@pytest.mark.parametrize("method", METHODS, ids=name)
def test_any_shape_of_state(shape, method):
    x = torch.rand(shape, generator=generator(0), dtype=torch.float64)
    solution = eq.solve(
        lambda y, x: torch.cos(y) * 0.5 + x,
        torch.zeros_like(x),
        x,
        method=method,
        max_steps=200,
        tol=1e-12,
    )
    assert solution.y.shape == shape
    torch.testing.assert_close(solution.y, 0.5 * torch.cos(solution.y) + x, rtol=0, atol=1e-11)


def test_x_may_be_any_object():
    class Input:
        bias = torch.full((2, 3), 0.5)

    assert eq.solve(
        lambda y, x: 0.5 * y + x.bias, torch.zeros(2, 3), Input(), max_steps=60, tol=1e-6
    ).y.mean() == pytest.approx(1, abs=1e-4)


# ----------------------------------------------------------------------------------------------- samples, on their own


def mixed(batch: int = 32) -> Problem:
    """Per sample another nonlinear contraction, some of them much slower than others."""
    slope = torch.linspace(0.1, 0.97, batch, dtype=torch.float64)[:, None]
    twist = torch.randn(batch, 24, generator=generator(3), dtype=torch.float64)
    x = torch.cat([slope, twist], dim=1)
    G = lambda y, x: x[:, :1] * torch.sin(y.roll(1, dims=1)) + x[:, 1:]
    return Problem(G, torch.zeros_like(twist), x, twist)


@pytest.mark.parametrize("tol", [1e-9, None], ids=["tol", "budget"])
@pytest.mark.parametrize("method", METHODS, ids=name)
def test_a_batch_of_32_gives_each_sample_what_it_gets_alone(method, tol):
    problem = mixed()
    max_steps = 60 if tol is None else 1500
    together = eq.solve(
        problem.G, problem.y0, problem.x, method=method, max_steps=max_steps, tol=tol
    )
    assert tol is None or len(together.steps.unique()) > 3
    for i in range(32):
        alone = eq.solve(
            problem.G,
            problem.y0[i : i + 1],
            problem.x[i : i + 1],
            method=method,
            max_steps=max_steps,
            tol=tol,
        )
        assert alone.steps[0] == together.steps[i] and alone.status[0] == together.status[i]
        torch.testing.assert_close(alone.y[0], together.y[i], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(
            alone.residuals[0],
            together.residuals[i, : alone.residuals.shape[1]],
            rtol=1e-9,
            atol=1e-14,
        )


@pytest.mark.parametrize("waits", [True, False], ids=["host looks", "host never looks"])
@pytest.mark.parametrize("tol", [1e-9, None], ids=["tol", "budget"])
@pytest.mark.parametrize("method", METHODS, ids=name)
def test_neighbours_that_diverge_or_turn_nan_change_nothing(method, tol, waits, monkeypatch):
    monkeypatch.setattr(fixed_point, "_waits", lambda y: waits)
    problem, bad = mixed(), torch.zeros(32, dtype=torch.bool)
    bad[[2, 9, 31]] = True
    kind = torch.zeros(32, 1, dtype=torch.float64)
    kind[2], kind[9], kind[31] = 1, 2, 3
    sick = torch.cat([kind, problem.x], dim=1)

    def G(y, x):
        g = problem.G(y, x[:, 1:])
        kind = x[:, :1]
        g = torch.where(
            kind == 1, 1 + y + (1 + y) ** 2, g
        )  # no real fixed point, grows without limit
        g = torch.where(
            kind == 2, torch.where(y.abs() > 0.01, torch.nan, g), g
        )  # NaN after the start
        return torch.where(kind == 3, torch.nan, g)  # NaN at once

    settings = dict(method=method, max_steps=60 if tol is None else 1500, tol=tol)
    healthy = eq.solve(problem.G, problem.y0, problem.x, **settings)
    solution = eq.solve(G, problem.y0, sick, throw=False, **settings)
    torch.testing.assert_close(solution.y[~bad], healthy.y[~bad], rtol=1e-12, atol=1e-12)
    assert torch.equal(solution.steps[~bad], healthy.steps[~bad])
    assert torch.equal(solution.status[~bad], healthy.status[~bad])
    assert solution.y.isfinite().all()
    assert solution.status[31] == Status.NAN and solution.steps[31] == 1
    if isinstance(method, Picard):
        assert solution.status[[2, 9]].tolist() == [Status.DIVERGED, Status.NAN]
    elif tol is not None:
        assert not solution.success[bad].any()


@pytest.mark.parametrize("method", METHODS, ids=name)
def test_an_infinite_residual_is_not_small_beside_an_infinite_image(method):
    x = torch.full((2, 3), 1e25)  # finite in float32, its norm is not
    solution = eq.solve(
        lambda y, x: -2 * y + x,
        torch.zeros(2, 3),
        x,
        method=method,
        max_steps=40,
        tol=1e-3,
        throw=False,
    )
    assert not solution.success.any()


@pytest.mark.parametrize("method", METHODS, ids=name)
@pytest.mark.parametrize("tol", [1e-9, None], ids=["tol", "budget"])
def test_the_path_without_host_looks_agrees(method, tol, monkeypatch):
    problem = mixed(8)
    settings = dict(method=method, max_steps=60 if tol is None else 1500, tol=tol)
    looking = eq.solve(problem.G, problem.y0, problem.x, **settings)
    monkeypatch.setattr(fixed_point, "_waits", lambda y: False)
    blind = eq.solve(problem.G, problem.y0, problem.x, **settings)
    torch.testing.assert_close(blind.y, looking.y, rtol=1e-12, atol=1e-12)
    assert torch.equal(blind.steps, looking.steps) and torch.equal(blind.status, looking.status)


class Waits(TorchDispatchMode):
    """Counts the operations that make the host wait for a device."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function in (
            torch.ops.aten._local_scalar_dense.default,
            torch.ops.aten.is_nonzero.default,
            torch.ops.aten.nonzero.default,
        ):
            self.count += 1
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("method", METHODS, ids=name)
def test_no_host_synchronisation_per_step(method, monkeypatch):
    monkeypatch.setattr(fixed_point, "_waits", lambda y: False)
    problem, counts = mixed(4), {}
    for steps in (10, 60):
        for tol in (None, 1e-15):
            with Waits() as waits:
                eq.solve(
                    problem.G,
                    problem.y0,
                    problem.x,
                    method=method,
                    max_steps=steps,
                    tol=tol,
                    throw=False,
                )
            counts[steps, tol] = waits.count
    assert counts[60, None] == counts[10, None]
    assert (
        counts[60, 1e-15] - counts[10, 1e-15]
        <= 60 // fixed_point.SYNC_EVERY - 10 // fixed_point.SYNC_EVERY
    )


# ----------------------------------------------------------------------------------------------------------- failures


def status_of(G, y0, x, **settings):
    solution = eq.solve(G, y0, x, throw=False, **settings)
    return Status(int(solution.status[0])), solution


def test_four_failures_are_four_statuses():
    one, zero = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    slow = lambda y, x: 0.999 * y + x
    status, solution = status_of(slow, zero, one, method=Picard(), max_steps=100, tol=1e-9)
    assert status is Status.BUDGET_SPENT and solution.steps == 100
    assert solution.y.item() == pytest.approx(
        (1 - 0.999**100) / 0.001, rel=1e-12
    )  # y_t, as with no tol

    status, solution = status_of(
        lambda y, x: 3 * y + x, zero, one, method=Picard(), max_steps=100, tol=1e-9
    )
    assert status is Status.DIVERGED and solution.y.isfinite().all()
    assert solution.steps == 1 + math.ceil(
        math.log(fixed_point.DIVERGED_AT, 3)
    )  # |r_t| = 3^t, |r_0| = |G(y_0)| = 1

    status, solution = status_of(
        lambda y, x: x - y, zero, one, method=Picard(), max_steps=100, tol=1e-9
    )  # 0, 1, 0, 1, ...
    assert status is Status.STAGNATED and solution.steps < 100

    status, solution = status_of(
        lambda y, x: (1.5 - y).sqrt() + x, zero, one, method=Picard(), max_steps=100, tol=1e-9
    )
    assert status is Status.NAN and solution.y.isfinite().all() and solution.steps == 2

    status, solution = status_of(lambda y, x: 3 * y + x, zero, one, method=Picard(), max_steps=100)
    assert status is Status.DIVERGED  # also when only a budget was asked for


def test_rounding_floor_is_stagnation_and_slow_convergence_is_not():
    problem = symmetric(n=20, largest=0.5, dtype=torch.float32)
    noise = torch.Generator().manual_seed(0)
    G = lambda y, x: problem.G(y, x) * (1 + 1e-6 * torch.rand(1, 20, generator=noise))
    status, solution = status_of(
        G, problem.y0, problem.x, method=Picard(), max_steps=500, tol=1.5e-7
    )
    assert status is Status.STAGNATED and solution.steps < 200
    slow = symmetric(n=2, largest=0.9999)
    status, solution = status_of(slow.G, slow.y0, slow.x, method=Picard(), max_steps=500, tol=1e-9)
    assert status is Status.BUDGET_SPENT and solution.steps == 500


def test_newton_krylov_says_when_it_is_stuck():
    x = torch.ones(1, 1, dtype=torch.float64)
    status, solution = status_of(
        lambda y, x: y + y**2 + x,
        torch.full_like(x, 0.7),
        x,
        method=NewtonKrylov(),
        max_steps=2000,
        tol=1e-9,
    )
    assert (
        status is Status.STAGNATED and solution.steps < 2000
    )  # y^2 + 1 has no root: |r| has a minimum at 0
    assert abs(solution.y.item()) < 0.05


def test_a_failed_solve_raises_with_its_solution_and_advice():
    x = torch.tensor([[0.5], [3.0], [0.999]], dtype=torch.float64)
    with pytest.raises(eq.SolveError) as caught:
        eq.solve(
            lambda y, x: x * y + 1, torch.zeros_like(x), x, method=Picard(), max_steps=100, tol=1e-6
        )
    solution = caught.value.solution
    assert solution.status.tolist() == [Status.SUCCESS, Status.DIVERGED, Status.BUDGET_SPENT]
    assert solution.success.tolist() == [True, False, False]
    assert solution.y[0].item() == pytest.approx(2, rel=1e-5)
    for part in (
        "1 of 3 samples DIVERGED (sample 1)",
        "damping",
        "1 of 3 samples BUDGET_SPENT (sample 2)",
        "max_steps",
    ):
        assert part in str(caught.value)


def test_a_start_that_is_the_answer_takes_one_evaluation():
    y = torch.zeros(2, 3)
    for method in METHODS:
        solution = eq.solve(
            lambda y, x: 0.5 * y, y, None, method=method, tol=1e-6
        )  # 0 / 0 counts as solved
        assert solution.steps.tolist() == [1, 1] and solution.residuals.tolist() == [[0.0], [0.0]]
        assert torch.equal(
            eq.solve(lambda y, x: 0.5 * y, y, None, method=method, max_steps=30).y, y
        )


# ---------------------------------------------------------------------------------------------------------- bad input

Y, X = torch.zeros(2, 3), torch.ones(2, 3)


def half(y, x):
    raise AssertionError("G was evaluated")


@pytest.mark.parametrize(
    ("error", "match", "change"),
    [
        (TypeError, "G must be callable, got 3", dict(G=3)),
        (TypeError, "y0 must be a tensor, got 'list'", dict(y0=[0.0])),
        (
            TypeError,
            "y0 must be of a real floating dtype, got torch.int64",
            dict(y0=torch.zeros(2, 3, dtype=torch.int64)),
        ),
        (TypeError, "y0 .*complex64", dict(y0=torch.zeros(2, 3, dtype=torch.complex64))),
        (
            ValueError,
            r"y0 must be of shape \(B, ...\), not empty, got \(\)",
            dict(y0=torch.tensor(0.0)),
        ),
        (ValueError, r"y0 must be .* not empty, got \(0, 3\)", dict(y0=torch.zeros(0, 3))),
        (
            ValueError,
            r"y0 must be finite, .* samples \[1\]",
            dict(y0=torch.tensor([[0.0], [torch.nan]]), x=None),
        ),
        (
            ValueError,
            r"y0 must be finite, .* samples \[0\]",
            dict(y0=torch.tensor([[torch.inf], [1.0]]), x=None),
        ),
        (
            ValueError,
            r"x must be batched like y0.*\(2, 3\), got \(5, 3\)",
            dict(x=torch.ones(5, 3)),
        ),
        (ValueError, r"x must be batched like y0.* got \(\)", dict(x=torch.tensor(1.0))),
        (TypeError, "x must be of y0's dtype torch.float32, got torch.float64", dict(x=X.double())),
        (ValueError, "x must be on y0's device cpu, got .*meta", dict(x=X.to("meta"))),
        (
            TypeError,
            "y0 must be float32 or float64 for NewtonKrylov, got torch.bfloat16",
            dict(y0=Y.bfloat16(), x=None, method=NewtonKrylov()),
        ),
        (TypeError, "method must be .*, got 'anderson'", dict(method="anderson")),
        (TypeError, "method must be .*, got <class", dict(method=Anderson)),
        (TypeError, "max_steps must be an int, got 3.0", dict(max_steps=3.0)),
        (TypeError, "max_steps must be an int, got True", dict(max_steps=True)),
        (ValueError, "max_steps must be at least 1, got 0", dict(max_steps=0)),
        (ValueError, "max_steps must be at least 1, got -4", dict(max_steps=-4)),
        (TypeError, "tol must be a number or None, got '1e-3'", dict(tol="1e-3")),
        (TypeError, "tol must be a number or None, got nan", dict(tol=math.nan)),
        (ValueError, "tol must be in .*, got 0", dict(tol=0)),
        (ValueError, "tol must be in .*, got -1", dict(tol=-1)),
        (ValueError, "tol must be in .*, got 1", dict(tol=1)),
        (ValueError, "tol must be in .*resolution of torch.float32, got 1e-09", dict(tol=1e-9)),
        (TypeError, "throw must be a bool, got 'no'", dict(throw="no")),
    ],
)
def test_bad_input_is_refused_before_the_first_evaluation(error, match, change):
    arguments = dict(G=half, y0=Y, x=X) | change
    with pytest.raises(error, match=match):
        eq.solve(arguments.pop("G"), arguments.pop("y0"), arguments.pop("x"), **arguments)


def test_unknown_settings_are_errors():
    with pytest.raises(TypeError, match="tolerance"):
        eq.solve(half, Y, X, tolerance=1e-3)
    for method in (Picard, Anderson, Broyden, NewtonKrylov):
        with pytest.raises(TypeError, match="memory"):
            method(memory=3)
        with pytest.raises(TypeError, match="positional"):
            method(3)


def test_trajectory_refuses_bad_input_when_called():
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        eq.trajectory(half, Y, X, 0)
    with pytest.raises(TypeError, match="x must be of y0's dtype"):
        eq.trajectory(half, Y, X.double(), 3)


@pytest.mark.parametrize(
    ("method", "settings", "error", "match"),
    [
        (Picard, dict(damping=0), ValueError, "damping must be in .*, got 0"),
        (Picard, dict(damping=1.5), ValueError, "damping must be in .*, got 1.5"),
        (Picard, dict(damping="1"), TypeError, "damping must be a number, got '1'"),
        (Anderson, dict(history=0), ValueError, "history must be at least 1, got 0"),
        (Anderson, dict(history=2.0), TypeError, "history must be an int, got 2.0"),
        (Anderson, dict(growth=1), ValueError, "growth must be above 1, got 1"),
        (Anderson, dict(regularisation=-1e-9), ValueError, "regularisation must be at least 0"),
        (Anderson, dict(damping=math.inf), TypeError, "damping must be a number, got inf"),
        (Broyden, dict(history=-1), ValueError, "history must be at least 1, got -1"),
        (Broyden, dict(damping=0.0), ValueError, "damping must be in .*, got 0.0"),
        (NewtonKrylov, dict(krylov=0), ValueError, "krylov must be at least 1, got 0"),
        (NewtonKrylov, dict(forcing=1), ValueError, "forcing must be in .*, got 1"),
        (NewtonKrylov, dict(backtracks=True), TypeError, "backtracks must be an int, got True"),
        (NewtonKrylov, dict(continuation=[1.0]), TypeError, "continuation must be a tuple"),
        (
            NewtonKrylov,
            dict(continuation=(0.5, 1.0)),
            ValueError,
            "continuation and path must be given together",
        ),
        (
            NewtonKrylov,
            dict(path=lambda x, s: x),
            ValueError,
            "continuation and path must be given together",
        ),
    ],
)
def test_impossible_settings_are_refused_when_built(method, settings, error, match):
    with pytest.raises(error, match=match):
        method(**settings)


@pytest.mark.parametrize(
    ("returned", "error", "match"),
    [
        (torch.zeros(2, 4), ValueError, r"y's shape \(2, 3\).* got \(2, 4\)"),
        (torch.zeros(3), ValueError, r"got \(3,\)"),
        (torch.zeros(2, 3, dtype=torch.float64), ValueError, "got .*torch.float64"),
        ((torch.zeros(2, 3),), TypeError, "G must return a tensor, got tuple"),
    ],
)
def test_a_g_that_returns_something_else_is_named(returned, error, match):
    for call in (
        lambda: eq.solve(lambda y, x: returned, Y, X),
        lambda: next(eq.trajectory(lambda y, x: returned, Y, X, 2)),
    ):
        with pytest.raises(error, match=match):
            call()
