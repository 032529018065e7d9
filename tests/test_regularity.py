"""equilibria.regularity: known moduli, the necessity bound, and operators that are not regular."""

import inspect

import equilibria as eq
import pytest
import torch
from equilibria import regularity
from fixed_point_problems import dense, generator, reciprocal, rotation, symmetric, two_sided

FLOAT = torch.float64


def audit(problem, **settings):
    return regularity.audit(problem.G, problem.y0, problem.x, **settings)


def assert_all_close(values, expected, *, rtol, atol=0.0):
    """Each of ``values`` is the number ``expected``."""
    torch.testing.assert_close(values, torch.full_like(values, expected), rtol=rtol, atol=atol)


def test_one_over_x():
    eta = 0.5
    problem = reciprocal([0.02, 0.3, 1.0], eta=eta)
    result = audit(problem)
    x = problem.x[:, 0]
    torch.testing.assert_close(result.mu, 1 - eta * x, rtol=1e-10, atol=0)
    # eta |y| at y* = 1 / x
    torch.testing.assert_close(result.lipschitz_x, eta / x, rtol=1e-8, atol=0)
    assert_all_close(result.growth, 1.0, rtol=1e-6)
    # here the bound is attained
    torch.testing.assert_close(result.bound, 1 / x**2, rtol=1e-6, atol=0)
    torch.testing.assert_close(result.measured, 1 / x**2, rtol=1e-6, atol=0)
    assert result.regular
    assert result.solved.all()
    assert str(result).startswith("regular on 3 samples")
    assert "NO " not in result.report


def test_a_symmetric_operator():
    result = audit(symmetric(n=30, batch=2, least=-0.2, largest=0.8), norm_steps=30)
    assert_all_close(result.mu, 0.8, rtol=1e-3)
    assert_all_close(result.lipschitz_x, 1.0, rtol=1e-6)
    assert_all_close(result.growth, 0.0, rtol=0, atol=1e-9)
    assert_all_close(result.measured, 1 / (1 - 0.8), rtol=1e-3)
    assert result.regular


def test_a_rotating_operator_stays_below_the_bound():
    """1 / |1 - 0.9 e^(0.1 i)| < 1 / (1 - 0.9)."""
    result = audit(rotation(radius=0.9))
    residual = torch.eye(40, dtype=FLOAT) - dense(rotation(batch=1, radius=0.9))
    exact = torch.linalg.matrix_norm(torch.linalg.inv(residual), 2)
    assert_all_close(result.measured, exact.item(), rtol=1e-3)
    assert (result.measured < 0.999 * result.bound).all()
    assert result.regular


def test_a_non_contraction_is_reported_though_it_has_a_fixed_point():
    result = audit(two_sided())
    assert_all_close(result.mu, 4.0, rtol=1e-3)
    assert result.solved.all()
    assert result.bound.isinf().all()
    assert not result.regular
    assert "NO      mu(x) >= 1: no contraction in y in 6 of 6 samples" in result.report


def test_a_contraction_at_the_fixed_point_alone_is_not_enough():
    """dG/dy = 0 at y* = 0, and 1.8 where |y| is large: the probes around y* see it."""
    x = torch.zeros(1, 1, dtype=FLOAT)

    def G(y, x):
        return 0.9 * y**2 / (1 + y.abs() / 2) + x

    assert eq.lipschitz.local(lambda y: G(y, x), x + 1e-9).item() < 1e-6
    assert not regularity.audit(G, x, x, radius=50.0).regular


def test_growth_faster_than_linear_is_reported():
    x = torch.tensor([[0.2], [0.4]], dtype=FLOAT)

    def G(y, x):
        return 0.3 * torch.sin(y) + x * (1 + y**2) * 1e-3

    result = regularity.audit(G, torch.zeros_like(x), x)
    assert_all_close(result.growth, 2.0, rtol=1e-2)
    assert not result.regular
    assert "Lip_x(G) grows faster than linearly" in result.report


def test_no_fixed_point_is_reported():
    x = torch.tensor([[1.0], [0.2]], dtype=FLOAT)

    def G(y, x):
        return y + torch.where(x > 0.5, x, x - y)

    result = regularity.audit(G, torch.zeros_like(x), x, max_steps=200)
    assert result.solved.tolist() == [False, True]
    assert result.measured.isnan().tolist() == [True, False]
    assert "NO      no fixed point was found in 1 of 2 samples [0]" in result.report


def test_nan_is_reported():
    x = torch.tensor([[1.0], [0.2]], dtype=FLOAT)
    result = regularity.audit(lambda y, x: x * torch.nan, torch.zeros_like(x), x, max_steps=20)
    assert not result.regular
    assert not result.solved.any()


def test_samples_do_not_see_each_other():
    problem = reciprocal([0.05, -0.5, 0.7])  # the middle one has mu = 1.25
    together = audit(problem)
    assert not together.regular
    assert (together.mu < 1).tolist() == [True, False, True]
    assert together.bound.isinf().tolist() == [False, True, False]
    for i in range(3):
        alone = regularity.audit(problem.G, problem.y0[i : i + 1], problem.x[i : i + 1])
        for name in ("mu", "lipschitz_x", "growth", "bound", "measured"):
            value, expected = getattr(alone, name)[0], getattr(together, name)[i]
            torch.testing.assert_close(value, expected, rtol=1e-9, atol=0)


def test_an_operator_that_ignores_y():
    x = torch.randn(2, 3, generator=generator(0), dtype=FLOAT)
    result = regularity.audit(lambda y, x: 2 * x, torch.zeros_like(x), x)
    assert result.mu.tolist() == [0, 0]
    assert result.regular
    torch.testing.assert_close(result.measured, torch.full((2,), 2.0, dtype=FLOAT))


def test_an_operator_that_ignores_x():
    x = torch.randn(2, 3, generator=generator(0), dtype=FLOAT)
    result = regularity.audit(lambda y, x: 0.5 * y + 1, torch.zeros_like(x), x)
    assert result.lipschitz_x.tolist() == result.growth.tolist() == [0, 0]
    assert result.measured.tolist() == [0, 0]
    assert result.regular


def test_the_report_names_the_worst_and_eight_samples():
    x = torch.linspace(1.0, 2.0, 11, dtype=FLOAT)[:, None]  # |1 - 3 x| = 2 to 5
    result = regularity.audit(lambda y, x: y - 3 * (x * y - 1), torch.zeros_like(x), x)
    line = "NO      mu(x) >= 1: no contraction in y in 11 of 11 samples [0, 1, 2, 3, 4, 5, 6, 7]"
    assert f"{line} (largest mu 5)" in result.report
    assert "yes     a fixed point was found (largest least residual" in result.report
    assert "yes     Lip_x(G) grows at most linearly in |y| (largest exponent 1)" in result.report
    assert result.report.startswith("NOT regular on 11 samples, as far as probed\n")
    assert "note" not in result.report


def test_the_defaults_are_those_of_the_documentation():
    parameters = inspect.signature(regularity.audit).parameters
    found = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
    assert found == {
        "max_steps": 1000,
        "tol": None,
        "probes": 4,
        "radius": 1.0,
        "scales": (1e2, 1e3, 1e4),
        "growth_slack": 0.05,
        "norm_steps": 50,
        "norm_tol": 1e-3,
        "seed": 0,
    }


def test_the_report_shows_the_least_residual_of_a_solve_that_failed():
    x = torch.ones(1, 1, dtype=FLOAT)

    def slow(y, x):
        return y + 1 / (1 + y.abs())

    solution = eq.solve(slow, 0 * x, x, max_steps=20, tol=1e-12, throw=False)
    least = solution.residuals.min().item()
    assert least < solution.residuals.max().item()
    report = regularity.audit(slow, 0 * x, x, max_steps=20, tol=1e-12).report
    assert f"[0] (largest least residual {least:.4g})" in report


def test_an_unsettled_norm_is_noted():
    result = audit(symmetric(n=60), norm_steps=2)
    assert "note    some spectral norms did not settle" in result.report
    assert result.measured.isnan().all() and not result.lipschitz_x.isnan().any()


@pytest.mark.parametrize(("power", "regular"), [(1.04, True), (1.06, False)])
def test_growth_may_exceed_one_by_a_twentieth(power, regular):
    x = torch.tensor([[0.2], [0.4]], dtype=FLOAT)

    def G(y, x):
        return 0.1 * torch.sin(y) + 1e-7 * x * (1 + y.abs() ** power)

    result = regularity.audit(G, torch.zeros_like(x), x)
    assert_all_close(result.growth, power, rtol=2e-3)
    assert result.regular == regular


def test_the_bound_allows_for_the_tolerance_of_the_norms():
    """Theorem 2.5 is attained here, so that measured / bound is 1 up to the tolerances."""
    from equilibria.regularity.report import collect_findings

    one = torch.ones(1, dtype=FLOAT)
    mu = torch.tensor([0.75], dtype=FLOAT)
    slack = 1 + 1e-3 * (1 + 1 / (1 - 0.75))  # 1.005
    for ratio, holds in ((0.9999 * slack, True), (1.0001 * slack, False)):
        *_, bounded = collect_findings(
            one > 0, one, mu, one, 2 * one, 2 * ratio * one, growth_slack=0.05, norm_tol=1e-3
        )
        assert bounded.holds.tolist() == [holds]
        assert bounded.value.item() == pytest.approx(ratio, rel=1e-14)


def test_growth_beyond_every_number_is_infinite():
    x = torch.tensor([[0.2]], dtype=FLOAT)  # |dG/dx| = e^|y|, and e^1000 is infinite
    result = regularity.audit(
        lambda y, x: x * y.abs().exp() * (y.abs() > 50) + 0.5 * y, 0 * x, x, max_steps=20
    )
    assert result.growth.tolist() == [torch.inf] and not result.regular


def test_growth_and_contraction_at_their_very_bounds():
    from equilibria.regularity.report import collect_findings

    one = torch.ones(1, dtype=FLOAT)
    for growth, mu, holds in ((1.05, 0.999, [True, True]), (1.0501, 1.0, [False, False])):
        _, contracts, grows, _ = collect_findings(
            one > 0, one, mu * one, growth * one, one, one, growth_slack=0.05, norm_tol=1e-3
        )
        assert [bool(grows.holds), bool(contracts.holds)] == holds


def test_contraction_is_looked_for_at_half_and_at_the_whole_radius():
    """Slopes are seen out to |y - y*| = 1 unit, and not farther."""
    seen = []
    x = torch.zeros(1, 1, dtype=FLOAT)

    def G(y, x):
        seen.append(y.detach().abs().item())
        return 0.5 * y + x

    regularity.audit(G, x, x, probes=3, scales=(100.0, 1000.0))
    found = sorted({round(value, 9) for value in seen})
    assert found == [0.0, 0.5, 1.0, 100.0, 1000.0]


NOT_A_TENSOR = r"x must be a real floating tensor, got dict: Lip_x.*lipschitz.local"
NOT_FLOATING = "x must be a real floating tensor, got torch.int64"
BAD_INPUT = [
    (TypeError, NOT_A_TENSOR, {"x": {"a": 1}}),
    (TypeError, NOT_FLOATING, {"x": torch.ones(2, 1, dtype=torch.int64)}),
    (ValueError, "x must be batched like y0", {"x": torch.ones(3, 1)}),
    (ValueError, r"probes must be .* got -1", {"probes": -1}),
    (ValueError, r"radius must be .* got 0", {"radius": 0}),
    (ValueError, "scales must be two or more rising", {"scales": (10.0, 1.0)}),
    (ValueError, r"norm_steps must be .* got 0", {"norm_steps": 0}),
    (ValueError, r"seed must be .* got -1", {"seed": -1}),
    (ValueError, "max_steps must be at least 1, got 0", {"max_steps": 0}),
    (TypeError, "slack", {"slack": 1}),
]


@pytest.mark.parametrize(("error", "match", "change"), BAD_INPUT)
def test_bad_input_is_named(error, match, change):
    def G(y, x):
        raise AssertionError("G was evaluated")

    arguments = {"G": G, "y0": torch.zeros(2, 1), "x": torch.ones(2, 1)} | change
    with pytest.raises(error, match=match):
        regularity.audit(**arguments)
