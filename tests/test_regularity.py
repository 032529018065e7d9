"""equilibria.regularity: known moduli, the necessity bound, and operators that are not regular."""

import equilibria as eq
import pytest
import torch
from equilibria import regularity
from fixed_point_problems import generator, reciprocal, rotation, symmetric, two_sided


def test_one_over_x():
    eta, problem = 0.5, reciprocal([0.02, 0.3, 1.0], eta=0.5)
    found = regularity.audit(problem.G, problem.y0, problem.x)
    x = problem.x[:, 0]
    torch.testing.assert_close(found.mu, 1 - eta * x, rtol=1e-10, atol=0)
    torch.testing.assert_close(
        found.lipschitz_x, eta / x, rtol=1e-8, atol=0
    )  # eta |y| at y* = 1 / x
    torch.testing.assert_close(found.growth, torch.ones_like(x), rtol=1e-6, atol=0)
    torch.testing.assert_close(
        found.bound, 1 / x**2, rtol=1e-6, atol=0
    )  # here the bound is attained
    torch.testing.assert_close(found.measured, 1 / x**2, rtol=1e-6, atol=0)
    assert found.regular and found.solved.all()
    assert str(found).startswith("regular on 3 samples") and "NO " not in found.report


def test_linear_operators():
    problem = symmetric(n=30, batch=2, least=-0.2, largest=0.8)
    found = regularity.audit(problem.G, problem.y0, problem.x, norm_steps=30)
    torch.testing.assert_close(
        found.mu, torch.full((2,), 0.8, dtype=torch.float64), rtol=1e-3, atol=0
    )
    torch.testing.assert_close(
        found.lipschitz_x, torch.ones(2, dtype=torch.float64), rtol=1e-6, atol=0
    )
    torch.testing.assert_close(found.growth, torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-9)
    torch.testing.assert_close(
        found.measured, torch.full((2,), 1 / (1 - 0.8), dtype=torch.float64), rtol=1e-3, atol=0
    )
    assert found.regular
    turning = rotation(radius=0.9)
    found = regularity.audit(turning.G, turning.y0, turning.x)
    a = torch.stack(
        [
            turning.G(e[None], torch.zeros(1, 40, dtype=torch.float64))[0]
            for e in torch.eye(40, dtype=torch.float64)
        ],
        dim=1,
    )
    exact = torch.linalg.matrix_norm(torch.linalg.inv(torch.eye(40, dtype=torch.float64) - a), 2)
    torch.testing.assert_close(found.measured, exact.expand(4), rtol=1e-3, atol=0)
    assert (
        found.measured < 0.999 * found.bound
    ).all() and found.regular  # 1 / |1 - 0.9 e^(0.1 i)| < 1 / (1 - 0.9)


def test_a_non_contraction_is_reported_though_it_has_a_fixed_point():
    problem = two_sided()
    found = regularity.audit(problem.G, problem.y0, problem.x)
    torch.testing.assert_close(
        found.mu, torch.full((6,), 4.0, dtype=torch.float64), rtol=1e-3, atol=0
    )
    assert found.solved.all() and found.bound.isinf().all() and not found.regular
    assert "NO      mu(x) >= 1: no contraction in y in 6 of 6 samples" in found.report


def test_a_contraction_at_the_fixed_point_alone_is_not_enough():
    """dG/dy = 0 at y* = 0, and 1.8 where |y| is large: found by the probes around y*."""
    x = torch.zeros(1, 1, dtype=torch.float64)
    G = lambda y, x: 0.9 * y**2 / (1 + y.abs() / 2) + x
    assert eq.lipschitz.local(lambda y: G(y, x), x + 1e-9).item() < 1e-6
    assert not regularity.audit(G, x, x, radius=50.0).regular


def test_growth_faster_than_linear_is_reported():
    x = torch.tensor([[0.2], [0.4]], dtype=torch.float64)
    found = regularity.audit(
        lambda y, x: 0.3 * torch.sin(y) + x * (1 + y**2) * 1e-3, torch.zeros_like(x), x
    )
    torch.testing.assert_close(
        found.growth, torch.full((2,), 2.0, dtype=torch.float64), rtol=1e-2, atol=0
    )
    assert not found.regular and "Lip_x(G) grows faster than linearly" in found.report


def test_no_fixed_point_and_nan_are_reported():
    x = torch.tensor([[1.0], [0.2]], dtype=torch.float64)
    found = regularity.audit(
        lambda y, x: y + torch.where(x > 0.5, x, x - y), torch.zeros_like(x), x, max_steps=200
    )
    assert found.solved.tolist() == [False, True]
    assert found.measured.isnan().tolist() == [True, False]
    assert "NO      no fixed point was found in 1 of 2 samples [0]" in found.report
    broken = regularity.audit(lambda y, x: x * torch.nan, torch.zeros_like(x), x, max_steps=20)
    assert not broken.regular and not broken.solved.any()


def test_samples_do_not_see_each_other():
    problem = reciprocal([0.05, -0.5, 0.7])  # the middle one has mu = 1.25
    together = regularity.audit(problem.G, problem.y0, problem.x)
    assert not together.regular and (together.mu < 1).tolist() == [True, False, True]
    for i in range(3):
        alone = regularity.audit(problem.G, problem.y0[i : i + 1], problem.x[i : i + 1])
        for field in ("mu", "lipschitz_x", "growth", "bound", "measured"):
            torch.testing.assert_close(
                getattr(alone, field)[0], getattr(together, field)[i], rtol=1e-9, atol=0
            )


def test_g_that_ignores_an_argument():
    x = torch.randn(2, 3, generator=generator(0), dtype=torch.float64)
    found = regularity.audit(lambda y, x: 2 * x, torch.zeros_like(x), x)
    assert found.mu.tolist() == [0, 0] and found.regular
    torch.testing.assert_close(found.measured, torch.full((2,), 2.0, dtype=torch.float64))
    found = regularity.audit(lambda y, x: 0.5 * y + 1, torch.zeros_like(x), x)
    assert (
        found.lipschitz_x.tolist() == [0, 0] and found.measured.tolist() == [0, 0] and found.regular
    )


@pytest.mark.parametrize(
    ("error", "match", "change"),
    [
        (
            TypeError,
            "x must be a real floating tensor, got dict: Lip_x.*lipschitz.local",
            dict(x={"a": 1}),
        ),
        (
            TypeError,
            "x must be a real floating tensor, got torch.int64",
            dict(x=torch.ones(2, 1, dtype=torch.int64)),
        ),
        (ValueError, "x must be batched like y0", dict(x=torch.ones(3, 1))),
        (ValueError, "probes must be .* got -1", dict(probes=-1)),
        (ValueError, "radius must be .* got 0", dict(radius=0)),
        (ValueError, "scales must be two or more rising", dict(scales=(10.0, 1.0))),
        (ValueError, "norm_steps must be .* got 0", dict(norm_steps=0)),
        (ValueError, "max_steps must be at least 1, got 0", dict(max_steps=0)),
        (TypeError, "slack", dict(slack=1)),
    ],
)
def test_bad_input_is_named(error, match, change):
    def G(y, x):
        raise AssertionError("G was evaluated")

    arguments = dict(x=torch.ones(2, 1)) | change
    with pytest.raises(error, match=match):
        regularity.audit(G, torch.zeros(2, 1), arguments.pop("x"), **arguments)
