"""equilibria.lipschitz: against exact spectral norms, closed forms and each other."""

import equilibria as eq
import pytest
import torch
from equilibria import lipschitz
from fixed_point_problems import generator, orthogonal, reciprocal, symmetric


def matrices(batch=5, rows=40, columns=30, seed=0):
    return torch.randn(batch, rows, columns, generator=generator(seed), dtype=torch.float64)


def test_local_is_the_spectral_norm():
    a = matrices()
    exact = torch.linalg.matrix_norm(a, 2)
    f = lambda x: torch.einsum("bij,bj->bi", a, x)
    torch.testing.assert_close(
        lipschitz.local(f, torch.zeros(5, 30, dtype=torch.float64)), exact, rtol=1e-3, atol=0
    )
    tight = lipschitz.local(f, torch.zeros(5, 30, dtype=torch.float64), tol=1e-9)
    torch.testing.assert_close(tight, exact, rtol=1e-10, atol=0)


def test_local_with_singular_values_close_to_the_largest():
    """Where power iteration alone would crawl: largest 1, then 0.999, 0.998, ..."""
    s = 1 - 1e-3 * torch.arange(200, dtype=torch.float64)
    a = (orthogonal(200, 1) * s) @ orthogonal(200, 2)
    found = lipschitz.local(
        lambda x: x @ a.T, torch.zeros(2, 200, dtype=torch.float64), max_steps=200
    )
    torch.testing.assert_close(found, torch.ones(2, dtype=torch.float64), rtol=1e-3, atol=0)


def test_local_of_a_network_at_its_point():
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(6, 20), torch.nn.GELU(), torch.nn.LayerNorm(20), torch.nn.Linear(20, 4)
    ).double()
    x = torch.randn(3, 6, generator=generator(2), dtype=torch.float64)
    exact = torch.stack(
        [
            torch.linalg.matrix_norm(torch.autograd.functional.jacobian(net, row[None])[0, :, 0], 2)
            for row in x
        ]
    )
    with torch.no_grad():  # callers need not enable gradients
        torch.testing.assert_close(lipschitz.local(net, x, tol=1e-8), exact, rtol=1e-8, atol=0)
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.parametrize("t", [1, 5, 40])
def test_local_along_the_trajectory_of_one_over_x(t):
    eta, x = 0.5, torch.tensor([[0.01], [0.1], [0.9]], dtype=torch.float64)

    def y_t(x):
        for y in eq.trajectory(reciprocal([1.0], eta=eta).G, torch.zeros_like(x), x, t):
            last = y
        return last

    exact = (t * eta * (1 - eta * x) ** (t - 1) * x - (1 - (1 - eta * x) ** t)) / x**2
    torch.testing.assert_close(lipschitz.local(y_t, x), exact.abs()[:, 0], rtol=1e-6, atol=1e-12)


def test_samples_do_not_see_each_other():
    a = matrices(batch=8, rows=30)
    a[3] = torch.nan
    a[5] *= 1e6
    f = lambda rows: lambda x: torch.einsum("bij,bj->bi", a[rows], x)
    together = lipschitz.local(f(slice(None)), torch.ones(8, 30, dtype=torch.float64), throw=False)
    assert together[3].isnan()
    for i in (0, 1, 2, 4, 5, 6, 7):
        alone = lipschitz.local(f(slice(i, i + 1)), torch.ones(1, 30, dtype=torch.float64))
        torch.testing.assert_close(alone[0], together[i], rtol=1e-12, atol=0)


def test_local_without_second_derivatives_uses_forward_mode():
    class Half(torch.autograd.Function):
        """x^2 / 2, once differentiable."""

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

    x = torch.tensor([[1.0, -3.0], [0.5, 0.25]], dtype=torch.float64)
    torch.testing.assert_close(
        lipschitz.local(Half.apply, x),
        torch.tensor([3.0, 0.5], dtype=torch.float64),
        rtol=1e-6,
        atol=0,
    )


def test_zero_slope_is_zero_and_no_graph_is_an_error():
    x = torch.ones(2, 3)
    assert lipschitz.local(lambda x: 0 * x, x).tolist() == [0, 0]
    for f in (
        lambda x: torch.ones(2, 3),
        lambda x: eq.solve(lambda y, x: 0.5 * y + x, torch.zeros_like(x), x, max_steps=5).y,
    ):
        with pytest.raises(ValueError, match="f.x. must depend on x"):
            lipschitz.local(f, x)


def test_not_converged_raises_with_its_lower_bounds():
    a = symmetric(n=200).G
    f = lambda x: a(x, torch.zeros_like(x))
    with pytest.raises(
        lipschitz.NotConverged, match="not settled after 2 steps.*max_steps"
    ) as caught:
        lipschitz.local(f, torch.zeros(2, 200, dtype=torch.float64), max_steps=2, tol=1e-6)
    assert not caught.value.converged.any()
    assert ((caught.value.estimate > 0.3) & (caught.value.estimate < 0.99)).all()
    quiet = lipschitz.local(
        f, torch.zeros(2, 200, dtype=torch.float64), max_steps=2, tol=1e-6, throw=False
    )
    assert torch.equal(quiet, caught.value.estimate)
    with pytest.raises(lipschitz.NotConverged):
        lipschitz.local(lambda x: x * torch.nan, torch.zeros(1, 2))


def test_difference_ratio_is_a_lower_bound_and_exact_along_the_top_direction():
    a = matrices()
    exact = torch.linalg.matrix_norm(a, 2)
    f = lambda x: torch.einsum("bij,bj->bi", a, x)
    x = torch.randn(5, 30, generator=generator(4), dtype=torch.float64)
    random = lipschitz.difference_ratio(
        f, x, torch.randn(5, 30, generator=generator(5), dtype=torch.float64)
    )
    assert (random < exact).all()
    top = torch.linalg.svd(a)[2][:, 0]
    torch.testing.assert_close(
        lipschitz.difference_ratio(f, x, 0.01 * top), exact, rtol=1e-10, atol=0
    )


def test_difference_ratio_takes_any_shape():
    x = torch.rand(2, 3, 4, generator=generator(0), dtype=torch.float64)
    dx = torch.zeros_like(x)
    dx[:, 0] = 0.1
    ratio = lipschitz.difference_ratio(lambda x: torch.cat([x, x], dim=1) * 3, x, dx)
    torch.testing.assert_close(ratio, torch.full((2,), 3 * 2**0.5, dtype=torch.float64))


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (TypeError, "f must be callable, got int", lambda x: lipschitz.local(3, x)),
        (
            TypeError,
            "x must be a real floating tensor, got list",
            lambda x: lipschitz.local(torch.sin, [1.0]),
        ),
        (TypeError, "x must be .* got torch.int64", lambda x: lipschitz.local(torch.sin, x.long())),
        (
            ValueError,
            r"x must have shape .* got \(0, 3\)",
            lambda x: lipschitz.local(torch.sin, x[:0]),
        ),
        (
            ValueError,
            "max_steps must be .* got 0",
            lambda x: lipschitz.local(torch.sin, x, max_steps=0),
        ),
        (ValueError, "tol must be .* got 2", lambda x: lipschitz.local(torch.sin, x, tol=2)),
        (
            ValueError,
            r"f must return a tensor with batch size 2, got torch.Size\(\[1\]\)",
            lambda x: lipschitz.local(lambda x: x.sum()[None], x),
        ),
        (
            ValueError,
            r"dx must have x's shape \(2, 3\), got \(2, 1\)",
            lambda x: lipschitz.difference_ratio(torch.sin, x, x[:, :1]),
        ),
        (
            TypeError,
            "dx must be a tensor of x's dtype",
            lambda x: lipschitz.difference_ratio(torch.sin, x, x.double()),
        ),
        (
            ValueError,
            "dx must be finite and not zero",
            lambda x: lipschitz.difference_ratio(torch.sin, x, 0 * x),
        ),
    ],
)
def test_bad_input_is_named(error, match, call):
    with pytest.raises(error, match=match):
        call(torch.ones(2, 3))
