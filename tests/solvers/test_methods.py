"""What holds for every method: answers, dtypes, shapes, the safeguard, and settings."""

import math

import equilibria as eq
import pytest
import torch
from equilibria import Anderson, Broyden, NewtonKrylov, Picard, Status
from fixed_point_problems import (
    cubic,
    generator,
    reciprocal,
    relative_error,
    relative_residual,
    rotation,
    symmetric,
    two_sided,
)
from solver_methods import ACCELERATED, METHODS, method_name

CONTRACTIONS = {
    "symmetric": symmetric(n=40, batch=3, largest=0.9),
    "rotation": rotation(),
    "reciprocal": reciprocal([0.05, 0.4, 1.0]),
}
EXPANSIVE = {"two_sided": two_sided(), "cubic": cubic(steep=1.5)}


@pytest.mark.parametrize("method", METHODS, ids=method_name)
@pytest.mark.parametrize("problem", CONTRACTIONS.values(), ids=CONTRACTIONS)
def test_every_method_solves_every_contraction(method, problem):
    solution = eq.solve(problem.G, problem.y0, problem.x, method=method, max_steps=2000, tol=1e-12)
    assert (relative_residual(problem, solution.y) <= 1e-12).all()
    assert (relative_error(solution.y, problem.exact) < 1e-10).all()


@pytest.mark.parametrize("method", ACCELERATED, ids=method_name)
@pytest.mark.parametrize("problem", EXPANSIVE.values(), ids=EXPANSIVE)
def test_secant_and_newton_methods_solve_what_picard_cannot(method, problem):
    picard = eq.solve(
        problem.G, problem.y0, problem.x, method=Picard(), max_steps=300, tol=1e-10, throw=False
    )
    assert not picard.success.any()
    solution = eq.solve(problem.G, problem.y0, problem.x, method=method, max_steps=600, tol=1e-10)
    assert (relative_error(solution.y, problem.exact) < 1e-8).all()


@pytest.mark.parametrize("method", [Anderson(), Broyden()], ids=method_name)
def test_float32(method):
    problem = symmetric(batch=3, dtype=torch.float32)
    solution = eq.solve(problem.G, problem.y0, problem.x, method=method, max_steps=150, tol=2e-6)
    assert solution.y.dtype == torch.float32
    assert solution.residuals.dtype == torch.float32
    assert (relative_error(solution.y, problem.exact) < 2e-4).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("method", [Picard(), Anderson(), Broyden()], ids=method_name)
def test_half_precision(method, dtype):
    problem = symmetric(n=16, batch=2, largest=0.8)
    y0, x = problem.y0.to(dtype), problem.x.to(dtype)

    def rounded(y, x):
        return problem.G(y.double(), x.double()).to(dtype)

    solution = eq.solve(rounded, y0, x, method=method, max_steps=60)
    assert solution.y.dtype == dtype
    error = relative_error(solution.y.double(), problem.exact)
    assert (error < 10 * torch.finfo(dtype).eps).all()


def test_the_safeguard_takes_nan_and_explosions_back():
    """G is NaN beyond |y| = 6 and steep: secant steps leave the domain, and come back."""
    problem = cubic(batch=4, n=10, steep=3.0)

    def fragile(y, x):
        outside = (y.abs() > 6).any(1, keepdim=True)
        return torch.where(outside, torch.nan, problem.G(y, x))

    y0, x = problem.y0, problem.x
    plain = eq.solve(fragile, y0, x, method=Picard(), max_steps=100, throw=False)
    assert (plain.status == Status.NAN).all()
    for method in (Anderson(), Broyden(), NewtonKrylov()):
        solution = eq.solve(fragile, y0, x, method=method, max_steps=600, tol=1e-10)
        assert (relative_error(solution.y, problem.exact) < 1e-8).all(), method
        # a NaN that was taken back reads as infinity: NaN is what comes after the end
        before_end = torch.arange(solution.residuals.shape[1]) < solution.steps[:, None]
        assert torch.equal(before_end, ~solution.residuals.isnan())


@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 2, 4, 1)], ids=str)
@pytest.mark.parametrize("method", METHODS, ids=method_name)
def test_any_shape_of_state(shape, method):
    x = torch.rand(shape, generator=generator(0), dtype=torch.float64)

    def G(y, x):
        return torch.cos(y) * 0.5 + x

    solution = eq.solve(G, torch.zeros_like(x), x, method=method, max_steps=200, tol=1e-12)
    assert solution.y.shape == shape
    torch.testing.assert_close(solution.y, G(solution.y, x), rtol=0, atol=1e-11)


@pytest.mark.parametrize("method", METHODS, ids=method_name)
def test_an_infinite_residual_is_not_small_beside_an_infinite_image(method):
    x = torch.full((2, 30), 3e38)  # finite in float32, as the answer is, while no norm is
    solution = eq.solve(
        lambda y, x: -2 * y + x,
        torch.zeros(2, 30),
        x,
        method=method,
        max_steps=40,
        tol=1e-3,
        throw=False,
    )
    assert not solution.success.any()


@pytest.mark.parametrize("method", METHODS, ids=method_name)
def test_a_start_that_is_the_answer_takes_one_evaluation(method):
    y = torch.zeros(2, 3)

    def G(y, x):
        return 0.5 * y

    solution = eq.solve(G, y, None, method=method, tol=1e-6)
    assert solution.steps.tolist() == [1, 1]
    assert solution.residuals.tolist() == [[0.0], [0.0]]  # 0 / 0 counts as solved
    assert torch.equal(eq.solve(G, y, None, method=method, max_steps=30).y, y)


def test_unknown_settings_are_errors():
    for method in (Picard, Anderson, Broyden, NewtonKrylov):
        with pytest.raises(TypeError, match="memory"):
            method(memory=3)
        with pytest.raises(TypeError, match="positional"):
            method(3)


TOGETHER = "continuation and path must be given together"
IMPOSSIBLE = [
    (Picard, {"damping": 0}, ValueError, "damping must be in .*, got 0"),
    (Picard, {"damping": 1.5}, ValueError, "damping must be in .*, got 1.5"),
    (Picard, {"damping": "1"}, TypeError, "damping must be a number, got '1'"),
    (Anderson, {"history": 0}, ValueError, "history must be at least 1, got 0"),
    (Anderson, {"history": 2.0}, TypeError, "history must be an int, got 2.0"),
    (Anderson, {"growth": 1}, ValueError, "growth must be above 1, got 1"),
    (Anderson, {"regularisation": -1e-9}, ValueError, "regularisation must be at least 0"),
    (Anderson, {"regularisation": "0"}, TypeError, "regularisation must be a number"),
    (Anderson, {"damping": math.inf}, TypeError, "damping must be a number, got inf"),
    (Broyden, {"history": -1}, ValueError, "history must be at least 1, got -1"),
    (Broyden, {"damping": 0.0}, ValueError, "damping must be in .*, got 0.0"),
    (NewtonKrylov, {"krylov": 0}, ValueError, "krylov must be at least 1, got 0"),
    (NewtonKrylov, {"forcing": 1}, ValueError, "forcing must be in .*, got 1"),
    (NewtonKrylov, {"backtracks": True}, TypeError, "backtracks must be an int, got True"),
    (NewtonKrylov, {"continuation": [1.0]}, TypeError, "continuation must be a tuple"),
    (NewtonKrylov, {"continuation": (0.5, 1.0)}, ValueError, TOGETHER),
    (NewtonKrylov, {"path": lambda x, s: x}, ValueError, TOGETHER),
]


@pytest.mark.parametrize(("method", "settings", "error", "match"), IMPOSSIBLE)
def test_impossible_settings_are_refused_when_built(method, settings, error, match):
    with pytest.raises(error, match=match):
        method(**settings)
