"""Rates and constants, to the digits that float64 gives, and the two ways of the bookkeeping."""

import equilibria as eq
import pytest
import torch
from equilibria import Anderson, Broyden, NewtonKrylov, Picard, Status
from equilibria.solvers import endings, loop, norms
from equilibria.solvers.safeguard import Rejections, Safeguard
from equilibria.solvers.secant import SmallSystem
from fixed_point_problems import cubic, rotation, two_sided
from solver_methods import ACCELERATED, method_name

FLOAT = torch.float64


def column(*values, dtype=FLOAT):
    return torch.tensor(values, dtype=dtype)[:, None]


def test_the_constants_are_those_of_the_documentation():
    assert Anderson() == Anderson(history=10, damping=1.0, growth=10.0, regularisation=None)
    assert Broyden() == Broyden(history=10, damping=1.0, growth=10.0)
    assert Picard() == Picard(damping=1.0)
    assert NewtonKrylov() == NewtonKrylov(krylov=30, forcing=0.05, backtracks=10, stage_tol=1e-2)
    assert (Picard.patience, Anderson.patience, Broyden.patience) == (40, 100, 100)
    assert Anderson(regularisation=0).regularisation == 0
    assert endings.DIVERGED_AT == 1e6
    assert endings.REJECTIONS == 12


@pytest.mark.parametrize("damping", [0.1, 0.25, 0.7, 1.0])
def test_picards_iterates_are_the_closed_form(damping):
    """y_t = (1 - (1 - damping (1 - a))^t) x / (1 - a) for G = a y + x."""
    a, x = column(-0.9, 0.3, 0.95), column(1.0, -2.0, 0.5)
    for t in (1, 2, 7, 60):
        y = eq.solve(
            lambda y, x: a * y + x,
            torch.zeros_like(x),
            x,
            method=Picard(damping=damping),
            max_steps=t,
        ).y
        expected = (1 - (1 - damping * (1 - a)) ** t) * x / (1 - a)
        torch.testing.assert_close(y, expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize("factor", [2.0, 10.0])
def test_a_sample_diverges_at_a_million_times_its_first_residual(factor):
    """r_t = factor^t from y_0 = 0, and the trace says where it was given up."""
    x = column(1.0)
    settings = {"method": Picard(), "max_steps": 100, "tol": 1e-9, "throw": False}
    solution = eq.solve(lambda y, x: factor * y + x, torch.zeros_like(x), x, **settings)
    t = int(solution.steps) - 1
    assert solution.status.tolist() == [Status.DIVERGED]
    assert factor ** (t - 1) <= 1e6 < factor**t


def test_picard_stagnates_after_forty_evaluations():
    """A quarter turn about the answer: every relative residual is as large as the first."""
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=FLOAT)
    x = torch.ones(1, 2, dtype=FLOAT) * 3
    solution = eq.solve(
        lambda y, x: (y - x) @ turn.T + x,
        x + torch.tensor([[1e-3, 0.0]], dtype=FLOAT),
        x,
        method=Picard(),
        max_steps=200,
        tol=1e-9,
        throw=False,
    )
    assert solution.status.tolist() == [Status.STAGNATED]
    assert solution.steps.tolist() == [50]  # looks come every ten evaluations, the fifth is late


def scripted(residuals, *, start=1.0, method=None, tol=1e-15, max_steps=60):
    """A solve of one number whose k-th residual is ``residuals(k)``, wherever it is."""
    calls = iter(range(10_000))

    def G(y, x):
        return y + residuals(next(calls))

    y0 = column(start)
    settings = {"method": method or Picard(), "max_steps": max_steps, "tol": tol, "throw": False}
    solution = eq.solve(G, y0, None, **settings)
    return Status(int(solution.status)), int(solution.steps), next(calls)


def test_the_best_residual_must_fall_by_a_ten_thousandth_in_forty_evaluations():
    """At the 50th evaluation it is compared with the best of the first ten."""
    for fall, stuck in ((0.995e-4, True), (1.005e-4, False)):

        def falling(k, fall=fall):
            return 1e-9 * (1 - fall * max(0, k - 9) / 40)

        status, steps, _ = scripted(falling)
        assert (status, steps) == ((Status.STAGNATED, 50) if stuck else (Status.BUDGET_SPENT, 60))


EPS = 2.0**-52


@pytest.mark.parametrize(
    ("first", "later", "steps"),
    [
        (99 * EPS, 99 * EPS, 20),  # at the floor, and no better than before
        (101 * EPS, 101 * EPS, 50),  # above the floor, so that it has forty evaluations
        (128 * EPS, 65 * EPS, 20),  # less than halved
        (128 * EPS, 63 * EPS, 30),  # halved once, and then no more
    ],
)
def test_at_the_floor_of_the_dtype_it_must_be_halved_in_ten(first, later, steps):
    found = scripted(lambda k: first if k < 10 else later)
    assert found[:2] == (Status.STAGNATED, steps)


def test_the_limit_is_of_the_larger_of_residual_and_image():
    for start, r0, scale in ((1.0, 1e-3, 1.001), (-1.0, 3.0, 3.0)):
        for factor, status in ((0.999e6, Status.BUDGET_SPENT), (1.001e6, Status.DIVERGED)):

            def jumping(k, r0=r0, scale=scale, factor=factor):
                return (r0, scale * factor, -scale * factor)[min(k, 1 + k % 2)]

            found, steps, _ = scripted(jumping, start=start, max_steps=9)
            assert found is status
            assert steps == (2 if status is Status.DIVERGED else 9)


def test_a_residual_at_the_very_limit_has_not_diverged():
    residuals = (1.0, 1e6, -1e6)
    assert scripted(lambda k: residuals[min(k, 1 + k % 2)], start=0.0, max_steps=9)[0] is not (
        Status.DIVERGED
    )


def test_one_sample_may_stagnate_while_another_goes_on():
    calls = iter(range(1000))

    def G(y, x):
        k = next(calls)
        return y + column(1e-9, 1e-3 * 0.8**k)

    settings = {"method": Picard(), "max_steps": 60, "tol": 1e-15, "throw": False}
    solution = eq.solve(G, column(1.0, 1.0), None, **settings)
    assert solution.status.tolist() == [Status.STAGNATED, Status.BUDGET_SPENT]
    assert solution.steps.tolist() == [50, 60]


def test_a_sample_is_given_up_after_twelve_rejections():
    def breaking(k):
        return 1.0 if k == 0 else 1e9

    # evaluations 1 to 12 are taken back; the next one is the last
    assert scripted(breaking, method=Anderson())[:2] == (Status.DIVERGED, 14)


def test_a_host_that_must_wait_looks_every_four_evaluations(monkeypatch):
    monkeypatch.setattr(loop, "host_sync_is_cheap", lambda y: False)
    status, steps, calls = scripted(lambda k: 0.1 ** (k + 1), tol=1e-5)
    assert (status, steps, calls) == (Status.SUCCESS, 5, 8)
    assert scripted(lambda k: 0.1, tol=None, max_steps=6) == (Status.SUCCESS, 6, 6)


def test_a_residual_that_equals_tol_has_passed():
    assert scripted(lambda k: 1.0, start=1.0, tol=0.5)[:2] == (Status.SUCCESS, 1)  # 1 / 2
    assert scripted(lambda k: 1.0, start=0.999, tol=0.5)[1] > 1


@pytest.mark.parametrize("n", [3, 200])
def test_no_more_differences_are_kept_than_there_are_dimensions(n):
    y = torch.zeros(2, n, dtype=FLOAT)
    slots = min(n, 10)
    anderson, _ = Anderson().start(y, sync_is_cheap=True)
    broyden, _ = Broyden().start(y, sync_is_cheap=True)
    assert anderson.slots == broyden.slots == slots
    assert anderson.dz.vectors.shape == broyden.dz.vectors.shape == (2, slots, n)
    assert anderson.dr.vectors.shape == (2, slots + 1, n)
    assert broyden.dy.vectors.shape == (2, slots + 2, n)
    assert anderson.t == broyden.t == -1


@pytest.mark.parametrize("dtype", [torch.float32, FLOAT])
def test_the_ridge_is_twenty_machine_epsilons(dtype):
    y = torch.zeros(1, 3, dtype=dtype)
    one = torch.ones((), dtype=dtype)
    for method, ridge in (
        (Anderson(), 20 * torch.finfo(dtype).eps),
        (Anderson(regularisation=0.5), 0.5),
    ):
        scaled = torch.stack(method.start(y, sync_is_cheap=True)[0].ridges)
        assert torch.equal(scaled.diagonal(), (one + ridge).expand(3))
        assert torch.equal(scaled - scaled.diagonal().diag(), 1 - torch.eye(3, dtype=dtype))


def test_a_singular_small_system_gets_zeros():
    y = torch.zeros(3, 5, dtype=FLOAT)
    system = SmallSystem.empty(y, 2)
    system.rows[1].copy_(torch.tensor([[0.0, 0.0], [0.0, 4.0], [torch.nan, 1.0]], dtype=FLOAT))
    rhs = torch.ones(3, 2, dtype=FLOAT)
    c = torch.empty(3, 2, dtype=FLOAT)
    system.solve(rhs, out=c)
    assert c[1].tolist() == [1.0, 0.25]
    assert set(c[0].tolist()) <= {0.0, 1.0} and set(c[2].tolist()) <= {0.0, 1.0}
    system.clear(torch.tensor([False, True, True]))
    assert torch.equal(system.matrix[1:], torch.eye(2, dtype=FLOAT).expand(2, 2, 2))
    assert system.matrix[0, 1].tolist() == [0.0, 0.0]


# ----------------------------------------------------------------------------------- the safeguard


def at(norm, *, cheap):
    """A safeguard whose best residual has this norm, for samples of one number."""
    y = torch.zeros(len(norm), 1, dtype=FLOAT)
    return Safeguard.at_start(y, norm[:, None], norm, growth=10.0, sync_is_cheap=cheap)


@pytest.mark.parametrize("cheap", [True, False])
def test_a_residual_of_ten_times_the_least_is_kept_and_any_more_is_not(cheap):
    least = torch.ones(5, dtype=FLOAT)
    guard = at(least, cheap=cheap)
    norm = torch.tensor([0.5, 1.0, 10.0, 10.0 * (1 + 1e-15), torch.nan], dtype=FLOAT)
    y = torch.arange(1.0, 6.0, dtype=FLOAT)[:, None]
    kept, _, bad = guard.judge(1, y, norm[:, None], norm)
    assert bad.tolist() == [False, False, False, True, True]
    assert kept[:, 0].tolist() == [1.0, 2.0, 3.0, 0.0, 0.0]
    assert guard.least.tolist() == [0.5, 1.0, 1.0, 1.0, 1.0]
    assert guard.best_y[:, 0].tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert guard.rejections.in_a_row.tolist() == [0.0, 0.0, 0.0, 1.0, 1.0]
    assert guard.rejections.last_at.tolist() == [-1.0, -1.0, -1.0, 1.0, 1.0]


def test_nothing_is_counted_while_all_is_calm():
    guard = at(torch.ones(2, dtype=FLOAT), cheap=True)
    for t, change in enumerate([[0.5, 0.4], [10 * 0.5, 10 * 0.4], [0.2, 4.0], [0.1, 0.39]], 1):
        norm = torch.tensor(change, dtype=FLOAT)
        y = torch.full((2, 1), float(t), dtype=FLOAT)
        kept, _, bad = guard.judge(t, y, norm[:, None], norm)
        assert bad is None and guard.rejections is None
        assert torch.equal(kept, y)
    assert guard.least.tolist() == [0.1, 0.39]
    assert guard.best_y[:, 0].tolist() == [4.0, 4.0]


def test_a_new_least_residual_ends_a_row_of_rejections():
    guard = at(torch.ones(2, dtype=FLOAT), cheap=True)
    for t, norm in enumerate([[11.0, 11.0], [12.0, 0.9], [0.5, 0.95]], 1):
        norm = torch.tensor(norm, dtype=FLOAT)
        guard.judge(t, norm[:, None], norm[:, None], norm)
        assert guard.rejections.in_a_row.tolist() == [[1, 1], [2, 0], [0, 0]][t - 1]
    assert guard.rejections.last_at.tolist() == [2, 1]


@pytest.mark.parametrize("tol", [1e-8, None], ids=["tol", "budget"])
@pytest.mark.parametrize("method", ACCELERATED, ids=method_name)
def test_a_host_that_does_not_look_gets_the_same(method, tol, monkeypatch):
    """Also where points are taken back, which a host that looks counts from the first one on."""
    counted = []
    none_yet = Rejections.none_yet
    monkeypatch.setattr(Rejections, "none_yet", lambda norm: counted.append(1) or none_yet(norm))
    for problem in (cubic(steep=4.0, batch=12), two_sided()):
        settings = {"method": method, "max_steps": 70, "tol": tol, "throw": False}
        seen = eq.solve(problem.G, problem.y0, problem.x, **settings)
        with monkeypatch.context() as patch:
            patch.setattr(loop, "host_sync_is_cheap", lambda y: False)
            blind = eq.solve(problem.G, problem.y0, problem.x, **settings)
        assert torch.equal(seen.y, blind.y)
        assert torch.equal(seen.status, blind.status) and torch.equal(seen.steps, blind.steps)
        torch.testing.assert_close(seen.residuals, blind.residuals, rtol=0, atol=0, equal_nan=True)
    if isinstance(method, Anderson | Broyden):
        assert len(counted) > 2, "no point was taken back, so that this shows nothing"


@pytest.mark.parametrize("at", [2, 5, 14])
@pytest.mark.parametrize("method", [Anderson(history=6), Broyden(history=6)], ids=method_name)
def test_a_late_rejection_leaves_the_history_of_the_others(method, at, monkeypatch):
    """Sample 0 breaks at one evaluation; the others end as they do without it."""
    problem = rotation()

    def solve(*, breaks):
        calls = iter(range(1000))

        def G(y, x):
            g = problem.G(y, x)
            if breaks and next(calls) == at:
                g[0] += 1e4
            return g

        return eq.solve(G, problem.y0, problem.x, method=method, max_steps=25)

    whole, broken = solve(breaks=False), solve(breaks=True)
    assert not torch.equal(whole.y[0], broken.y[0])
    torch.testing.assert_close(whole.y[1:], broken.y[1:], rtol=1e-9, atol=1e-12)
    monkeypatch.setattr(loop, "host_sync_is_cheap", lambda y: False)
    assert torch.equal(solve(breaks=True).y, broken.y)


# --------------------------------------------------------------------------------------- norms


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, FLOAT], ids=str)
def test_norms_are_right_at_every_size(dtype):
    info = torch.finfo(dtype)
    generator = torch.Generator().manual_seed(0)
    wide = torch.promote_types(dtype, torch.float32)
    exponents = torch.linspace(-torch.finfo(dtype).bits * 2, 30, 60, dtype=FLOAT)
    sizes = [info.smallest_normal * 4, info.smallest_normal**0.5, 1.0, info.max / 8]
    sizes += [s for s in (10**exponents).tolist() if info.smallest_normal * 4 < s < info.max / 8]
    for size in sizes:
        v = torch.randn(3, 7, generator=generator, dtype=FLOAT).clamp(-3, 3)
        v = (v / v.norm(dim=1, keepdim=True) * size).to(dtype)
        unit = v.double() / size
        expected = unit.norm(dim=1) * size
        found = norms.norm(v)
        assert found.dtype == wide
        torch.testing.assert_close(found.double(), expected, rtol=8 * torch.finfo(wide).eps, atol=0)


def test_norms_of_what_has_none():
    v = torch.tensor([[0.0, 0.0], [torch.nan, 1.0], [torch.inf, 1.0], [3e38, 3e38]])
    found = norms.norm(v)
    assert found[0] == 0 and found[1].isnan() and found[2].isinf() and found[3].isinf()
    low, high = norms.exact_range(v)
    assert low == pytest.approx((2 * 2.0**-126 / 2.0**-23) ** 0.5, rel=1e-12)
    assert high == pytest.approx(3.4028234663852886e38**0.5, rel=1e-12)
