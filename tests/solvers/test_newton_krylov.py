"""Newton-Krylov: its directions, its rate, continuation, and operators it cannot differentiate."""

import equilibria as eq
import pytest
import torch
from equilibria import NewtonKrylov, Status
from fixed_point_problems import cubic, generator, relative_error, two_sided


def test_a_linear_problem_needs_one_direction():
    problem = two_sided(batch=3, n=20)
    method = NewtonKrylov(forcing=1e-10)
    solution = eq.solve(problem.G, problem.y0, problem.x, method=method, max_steps=40, tol=1e-9)
    assert (solution.steps <= 1 + 20 + 1).all()  # the start, at most n products, the trial
    assert (relative_error(solution.y, problem.exact) < 1e-8).all()
    # a product keeps the residual of its y
    products = solution.residuals[:, 1 : int(solution.steps.min()) - 1]
    assert (products == solution.residuals[:, 0:1]).all()


def test_it_converges_faster_than_linearly():
    problem = cubic(n=5)
    method = NewtonKrylov(forcing=1e-8)
    solution = eq.solve(problem.G, problem.y0, problem.x, method=method, max_steps=200, tol=1e-13)
    for row in solution.residuals:
        falling = torch.unique_consecutive(row[row.isfinite() & (row > 0)])
        late = falling[(falling < 1e-2) & (falling > 1e-12)]
        assert len(late) <= 3  # 1e-2, 1e-4, 1e-8


def far(y, x):
    """Steep and far from zero: y = -x sinh(3 y) + 2 x."""
    return -x * torch.sinh(3 * y) + 2 * x


def scaled(x, s):
    return s[:, None] * x


def test_continuation_reaches_the_far_solution():
    x = torch.tensor([[50.0], [400.0]], dtype=torch.float64)
    visited = []

    def path(x, s):
        assert s.shape == (2,)
        visited.append(s.clone())
        return scaled(x, s)

    values = (0.02, 0.2, 1.0)
    method = NewtonKrylov(continuation=values, path=path)
    solution = eq.solve(far, torch.zeros_like(x), x, method=method, max_steps=300, tol=1e-10)
    assert ((far(solution.y, x) - solution.y).abs() <= 1e-8 * x).all()
    assert torch.stack(visited).unique().tolist() == list(values)
    method = NewtonKrylov(continuation=values, path=scaled)
    for i in range(2):
        alone = x[i : i + 1]
        y0 = torch.zeros_like(alone)
        one = eq.solve(far, y0, alone, method=method, max_steps=300, tol=1e-10)
        assert int(one.steps) == solution.steps[i]


def test_a_path_that_does_not_lead_to_x_is_refused():
    x = torch.tensor([[50.0], [400.0]], dtype=torch.float64)
    wrong = NewtonKrylov(continuation=(0.5, 0.9), path=scaled)
    with pytest.raises(ValueError, match=r"path.*0\.9.*must be x"):
        eq.solve(far, torch.zeros_like(x), x, method=wrong, tol=1e-6)


class Cube(torch.autograd.Function):
    """y^3 with a backward pass and no forward mode."""

    @staticmethod
    def forward(ctx, y):
        ctx.save_for_backward(y)
        return y**3

    @staticmethod
    def backward(ctx, g):
        return 3 * ctx.saved_tensors[0] ** 2 * g


class OpaqueCube(Cube):
    """y^3 with neither a forward mode nor a second derivative."""

    backward = staticmethod(torch.autograd.function.once_differentiable(Cube.backward))


def test_an_operator_without_forward_mode():
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


def test_an_operator_that_cannot_be_differentiated_is_refused():
    x = torch.ones(1, 2, dtype=torch.float64)
    with pytest.raises(RuntimeError, match="neither a forward mode nor a second derivative"):
        eq.solve(lambda y, x: x - OpaqueCube.apply(y), 0.1 * x, x, method=NewtonKrylov(), tol=1e-6)


def test_it_says_when_it_is_stuck():
    """y^2 + 1 has no root: |r| has a minimum at 0."""
    x = torch.ones(1, 1, dtype=torch.float64)
    solution = eq.solve(
        lambda y, x: y + y**2 + x,
        torch.full_like(x, 0.7),
        x,
        method=NewtonKrylov(),
        max_steps=2000,
        tol=1e-9,
        throw=False,
    )
    assert solution.status.tolist() == [Status.STAGNATED]
    assert solution.steps < 2000
    assert abs(solution.y.item()) < 0.05


def test_each_halving_and_each_evaluation_is_accounted_for():
    """One number, where every step can be followed by hand.

    G(y) = y - arctan(y) from y = 2 has r = -arctan(y); the full step overshoots to a larger |r|,
    and half of it is taken.
    """
    visited = []

    def G(y, x):
        visited.append(y.detach().item())
        return y - torch.arctan(y)

    y0 = torch.tensor([[2.0]], dtype=torch.float64)
    eq.solve(G, y0, None, method=NewtonKrylov(), max_steps=4)
    direction = -torch.arctan(y0).item() * (1 + 2.0**2)  # d = r / (1 - G')
    # start, product with G' there, full step, half step
    assert visited[:2] == [2.0, 2.0]
    assert visited[2:] == pytest.approx([2 + direction, 2 + direction / 2], rel=1e-14)


@pytest.mark.parametrize("backtracks", [1, 3])
def test_it_gives_up_after_its_halvings(backtracks):
    """|r| cannot fall: G - y is 1 everywhere, and 1 - dG/dy is not zero."""

    class Constant(torch.autograd.Function):
        """y + 1, whose slope is said to be 0, in either mode but not twice."""

        @staticmethod
        def forward(ctx, y):
            return y + 1

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, g):
            return 0 * g

        @staticmethod
        def jvp(ctx, v):
            return 0 * v

    visited = []

    def G(y, x):
        visited.append(y.detach().item())
        return Constant.apply(y)

    y0 = torch.zeros(1, 1, dtype=torch.float64)
    solution = eq.solve(
        G,
        y0,
        None,
        method=NewtonKrylov(backtracks=backtracks),
        max_steps=40,
        tol=1e-9,
        throw=False,
    )
    assert solution.status.tolist() == [Status.STAGNATED]
    trials = [0.5**k for k in range(backtracks + 1)]
    assert visited[:2] == [0.0, 0.0] and visited[2 : 3 + backtracks] == trials


@pytest.mark.parametrize(("forcing", "products"), [(0.317, 1), (0.315, 2)])
def test_gmres_stops_at_the_forcing(forcing, products):
    """1 - dG/dy = diag(1, 2) and r = (1, 1): one direction leaves |r| / sqrt(10)."""
    d = torch.tensor([0.0, -1.0], dtype=torch.float64)
    x = torch.ones(1, 2, dtype=torch.float64)
    method = NewtonKrylov(forcing=forcing)
    phases = []

    def G(y, x):
        phases.append(torch.equal(y, torch.zeros_like(y)))
        return d * y + x

    eq.solve(G, torch.zeros_like(x), x, method=method, max_steps=5)
    assert phases[: products + 2] == [True] * (products + 1) + [False]


@pytest.mark.parametrize(("stage_tol", "moves_on"), [(0.5, True), (0.49, False)])
def test_a_stage_ends_at_its_tolerance(stage_tol, moves_on):
    """At y = 1 the first stage has r = 1 and G = 2."""
    seen = []

    def path(x, s):
        seen.append(s.item())
        return x

    x = torch.ones(1, 1, dtype=torch.float64)
    method = NewtonKrylov(continuation=(0.25, 1.0), path=path, stage_tol=stage_tol)
    eq.solve(lambda y, x: y + x, x, x, method=method, max_steps=2)
    assert seen[-1] == (1.0 if moves_on else 0.25)
