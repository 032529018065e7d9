"""equilibria.lipschitz: against exact spectral norms, closed forms and each other."""

import equilibria as eq
import pytest
import torch
from equilibria import lipschitz
from fixed_point_problems import generator, orthogonal, reciprocal, symmetric

FLOAT = torch.float64


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=FLOAT)


def times(a):
    """The map x -> A x with a matrix per sample."""

    def f(x):
        return torch.einsum("bij,bj->bi", a, x)

    return f


# ------------------------------------------------------------------------------------------- local


def test_local_is_the_spectral_norm():
    a = draw(5, 40, 30)
    exact = torch.linalg.matrix_norm(a, 2)
    x = torch.zeros(5, 30, dtype=FLOAT)
    torch.testing.assert_close(lipschitz.local(times(a), x), exact, rtol=1e-3, atol=0)
    tight = lipschitz.local(times(a), x, tol=1e-9)
    torch.testing.assert_close(tight, exact, rtol=1e-10, atol=0)


def test_local_with_singular_values_close_to_the_largest():
    """Where power iteration alone would crawl: the largest is 1, then come 0.999, 0.998, ..."""
    s = 1 - 1e-3 * torch.arange(200, dtype=FLOAT)
    a = (orthogonal(200, 1) * s) @ orthogonal(200, 2)
    x = torch.zeros(2, 200, dtype=FLOAT)
    norms = lipschitz.local(lambda x: x @ a.T, x, max_steps=200)
    torch.testing.assert_close(norms, torch.ones(2, dtype=FLOAT), rtol=1e-3, atol=0)


def test_local_of_a_network_at_its_point():
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(6, 20), torch.nn.GELU(), torch.nn.LayerNorm(20), torch.nn.Linear(20, 4)
    ).double()
    x = draw(3, 6, seed=2)
    norms = []
    for row in x:
        jacobian = torch.autograd.functional.jacobian(net, row[None])[0, :, 0]
        norms.append(torch.linalg.matrix_norm(jacobian, 2))
    exact = torch.stack(norms)
    with torch.no_grad():  # callers need not enable gradients
        torch.testing.assert_close(lipschitz.local(net, x, tol=1e-8), exact, rtol=1e-8, atol=0)
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize("t", [1, 5, 40])
def test_local_along_the_trajectory_of_one_over_x(t):
    eta, x = 0.5, torch.tensor([[0.01], [0.1], [0.9]], dtype=FLOAT)
    G = reciprocal([1.0], eta=eta).G

    def y_t(x):
        *_, last = eq.trajectory(G, torch.zeros_like(x), x, t)
        return last

    exact = (t * eta * (1 - eta * x) ** (t - 1) * x - (1 - (1 - eta * x) ** t)) / x**2
    torch.testing.assert_close(lipschitz.local(y_t, x), exact.abs()[:, 0], rtol=1e-6, atol=1e-12)


def test_samples_do_not_see_each_other():
    a = draw(8, 30, 30)
    a[3] = torch.nan
    a[5] *= 1e6
    together = lipschitz.local(times(a), torch.ones(8, 30, dtype=FLOAT), throw=False)
    assert together[3].isnan()
    for i in (0, 1, 2, 4, 5, 6, 7):
        alone = lipschitz.local(times(a[i : i + 1]), torch.ones(1, 30, dtype=FLOAT))
        torch.testing.assert_close(alone[0], together[i], rtol=1e-12, atol=0)


class Half(torch.autograd.Function):
    """x^2 / 2, which can be differentiated once, in either mode."""

    @staticmethod
    def forward(x):
        return 0.5 * x**2

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.save_for_forward(inputs[0])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        return ctx.saved_tensors[0] * g

    @staticmethod
    def jvp(ctx, v):
        return ctx.saved_tensors[0] * v


def test_local_without_second_derivatives_uses_forward_mode():
    x = torch.tensor([[1.0, -3.0], [0.5, 0.25]], dtype=FLOAT)
    exact = torch.tensor([3.0, 0.5], dtype=FLOAT)
    torch.testing.assert_close(lipschitz.local(Half.apply, x), exact, rtol=1e-6, atol=0)


def test_zero_slope_is_zero():
    assert lipschitz.local(lambda x: 0 * x, torch.ones(2, 3)).tolist() == [0, 0]


def constant(x):
    return torch.ones(2, 3)


def detached(x):
    return eq.solve(lambda y, x: 0.5 * y + x, torch.zeros_like(x), x, max_steps=5).y


@pytest.mark.parametrize("f", [constant, detached])
def test_no_graph_is_an_error(f):
    with pytest.raises(ValueError, match=r"f\(x\) must depend on x"):
        lipschitz.local(f, torch.ones(2, 3))


def test_not_converged_raises_with_its_lower_bounds():
    a = symmetric(n=200).G
    x = torch.zeros(2, 200, dtype=FLOAT)

    def f(x):
        return a(x, torch.zeros_like(x))

    message = r"not settled after 2 steps.*max_steps"
    with pytest.raises(lipschitz.NotConverged, match=message) as caught:
        lipschitz.local(f, x, max_steps=2, tol=1e-6)
    assert not caught.value.converged.any()
    assert ((caught.value.estimate > 0.3) & (caught.value.estimate < 0.99)).all()
    quiet = lipschitz.local(f, x, max_steps=2, tol=1e-6, throw=False)
    assert torch.equal(quiet, caught.value.estimate)


def test_it_stops_at_its_tolerance_and_not_before(monkeypatch):
    """|J'J v - s^2 v| <= tol s^2, as the dense matrices have it."""
    a = draw(1, 60, 60, seed=3)
    x = torch.zeros(1, 60, dtype=FLOAT)
    exact = torch.linalg.matrix_norm(a, 2)
    steps = {}
    for tol in (1e-1, 1e-3, 1e-6):
        short = [
            lipschitz.local(times(a), x, max_steps=k, tol=tol, throw=False) for k in range(1, 61)
        ]
        found = torch.cat(short)
        assert (found.diff() >= -1e-12).all(), "it grows with the space"
        settled = (found == found[-1]).nonzero()[0].item()
        steps[tol] = settled + 1
        assert abs(found[-1] / exact - 1) < tol / 2
    assert 3 < steps[1e-1] < steps[1e-3] < steps[1e-6] < 60


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_it_stops_by_the_same_rule_at_every_scale(scale):
    a, x = draw(1, 60, 60, seed=3), torch.zeros(1, 60, dtype=FLOAT)
    plain = lipschitz.local(times(a), x, tol=1e-2)
    scaled = lipschitz.local(times(scale * a), x, tol=1e-2)
    torch.testing.assert_close(scaled, scale * plain, rtol=1e-12, atol=0)


class Cube(torch.autograd.Function):
    """x^3, which can be differentiated twice, and has no forward mode."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        return 3 * ctx.saved_tensors[0] ** 2 * g


def test_local_without_forward_mode_uses_two_backward_passes():
    x = torch.tensor([[1.0, -3.0], [0.5, 0.25]], dtype=FLOAT)
    exact = torch.tensor([27.0, 0.75], dtype=FLOAT)
    torch.testing.assert_close(lipschitz.local(Cube.apply, x), exact, rtol=1e-6, atol=0)


def test_a_whole_space_has_converged():
    x = torch.zeros(2, 3, dtype=FLOAT)
    a = draw(2, 5, 3)
    norms = lipschitz.local(times(a), x, max_steps=3, tol=1e-15)
    torch.testing.assert_close(norms, torch.linalg.matrix_norm(a, 2), rtol=1e-13, atol=0)


def test_the_message_names_eight_of_the_samples():
    many = lipschitz.NotConverged(torch.ones(11), torch.arange(11) < 2, 7)
    assert "after 7 steps for samples [2, 3, 4, 5, 6, 7, 8, 9]...: raise" in str(many)
    few = lipschitz.NotConverged(torch.ones(9), torch.arange(9) < 1, 7)
    assert "for samples [1, 2, 3, 4, 5, 6, 7, 8]: raise" in str(few)


def test_the_defaults_are_those_of_the_documentation():
    """The gap between singular values needs more than 50 steps at a tol of 1e-6."""
    s = 1 - 1e-4 * torch.arange(100, dtype=FLOAT)
    a = (orthogonal(100, 1) * s) @ orthogonal(100, 2)
    x = torch.zeros(1, 100, dtype=FLOAT)
    with pytest.raises(lipschitz.NotConverged, match="after 50 steps"):
        lipschitz.local(lambda x: x @ a.T, x, tol=1e-9)
    default = lipschitz.local(lambda x: x @ a.T, x)
    assert torch.equal(default, lipschitz.local(lambda x: x @ a.T, x, max_steps=50, tol=1e-3))


def test_nan_does_not_converge():
    with pytest.raises(lipschitz.NotConverged):
        lipschitz.local(lambda x: x * torch.nan, torch.zeros(1, 2))


# -------------------------------------------------------------------------------- difference_ratio


def test_difference_ratio_is_a_lower_bound_and_exact_along_the_top_direction():
    a = draw(5, 40, 30)
    exact = torch.linalg.matrix_norm(a, 2)
    x = draw(5, 30, seed=4)
    assert (lipschitz.difference_ratio(times(a), x, draw(5, 30, seed=5)) < exact).all()
    top = torch.linalg.svd(a)[2][:, 0]
    ratio = lipschitz.difference_ratio(times(a), x, 0.01 * top)
    torch.testing.assert_close(ratio, exact, rtol=1e-10, atol=0)


def test_difference_ratio_takes_any_shape():
    x = torch.rand(2, 3, 4, generator=generator(0), dtype=FLOAT)
    dx = torch.zeros_like(x)
    dx[:, 0] = 0.1
    ratio = lipschitz.difference_ratio(lambda x: torch.cat([x, x], dim=1) * 3, x, dx)
    torch.testing.assert_close(ratio, torch.full((2,), 3 * 2**0.5, dtype=FLOAT))


# --------------------------------------------------------------------------------------- bad input

X = torch.ones(2, 3)


def total(x):
    return x.sum()[None]


BAD_LOCAL = [
    (TypeError, "f must be callable, got int", {"f": 3}),
    (TypeError, "x must be a real floating tensor, got list", {"x": [1.0]}),
    (TypeError, r"x must be .* got torch.int64", {"x": X.long()}),
    (ValueError, r"x must have shape .* got \(0, 3\)", {"x": X[:0]}),
    (ValueError, r"max_steps must be .* got 0", {"max_steps": 0}),
    (TypeError, "max_steps must be an int, got 2.5", {"max_steps": 2.5}),
    (ValueError, r"tol must be .* got 2", {"tol": 2}),
    (ValueError, r"tol must be .* got 1", {"tol": 1}),
    (ValueError, r"tol must be .* got 0", {"tol": 0}),
    (
        ValueError,
        r"f must return a tensor with batch size 2, got torch.Size\(\[1\]\)",
        {"f": total},
    ),
]
BAD_DIFFERENCES = [
    (ValueError, r"dx must have x's shape \(2, 3\), got \(2, 1\)", X[:, :1]),
    (TypeError, "dx must be a tensor of x's dtype", X.double()),
    (ValueError, "dx must be finite and not zero", 0 * X),
]


@pytest.mark.parametrize(("error", "match", "change"), BAD_LOCAL)
def test_bad_input_of_local_is_named(error, match, change):
    arguments = {"f": torch.sin, "x": X} | change
    with pytest.raises(error, match=match):
        lipschitz.local(**arguments)


@pytest.mark.parametrize(("error", "match", "dx"), BAD_DIFFERENCES)
def test_bad_differences_are_named(error, match, dx):
    with pytest.raises(error, match=match):
        lipschitz.difference_ratio(torch.sin, X, dx)
