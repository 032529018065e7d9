"""Theorem 2.4: the construction's inequality on every target, and three wrong constructions that break it."""

import pytest
import torch
from equilibria import lipschitz, regularity
from equilibria import solvers as fixed_point
from equilibria.operators.sufficiency import (
    Relaxed,
    SteepnessStep,
    regular_operator,
    sampled_lipschitz,
)
from equilibria.problems.steep_targets import SIGN, TARGETS, paper_step, smooth_sign

DISTANCES = 2.0 ** -torch.arange(1.0, 19.0, 0.5, dtype=torch.float64)
each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


def state(target, x, size):
    y = torch.zeros_like(target.F(x))
    y[:, 0] = size
    return y


def steepness(G, target, x, size=1.0):
    """Lip_x(G) / (1 + |y|), which the theorem bounds by 2 c."""
    return lipschitz.local(lambda x: G(state(target, x, size), x), x) / (1 + size)


@each_target
def test_the_targets_own_slopes_and_bounds(target):
    x = target.near(DISTANCES)
    slope = target.slope(x)
    assert torch.allclose(lipschitz.local(target.F, x), slope, rtol=1e-9)
    assert bool(
        (target.local_lipschitz(x, torch.zeros(len(x), dtype=x.dtype)) >= slope * (1 - 1e-12)).all()
    )
    assert slope.max() > 100 * slope.min()
    # L is a Lipschitz constant of the whole ball: chords between points of it are no steeper
    rho = 0.4 * DISTANCES.repeat(len(x) // len(DISTANCES)) / 2
    bound = target.local_lipschitz(x, rho)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        a, b = (
            x
            + rho[:, None]
            * torch.nn.functional.normalize(
                torch.randn(x.shape, generator=generator, dtype=x.dtype), dim=1
            )
            * torch.rand(len(x), 1, generator=generator, dtype=x.dtype)
            for _ in range(2)
        )
        assert bool(
            (
                (target.F(a) - target.F(b)).norm(dim=1)
                <= bound * (a - b).norm(dim=1) * (1 + 1e-9) + 1e-12
            ).all()
        )


@each_target
@pytest.mark.parametrize("c", [0.5, 0.9])
def test_lip_x_of_g_stays_below_2c_while_the_target_blows_up(target, c):
    G, x = regular_operator(target.F, target.local_lipschitz, c=c), target.near(DISTANCES)
    for size in (0.0, 1.0, 100.0):
        assert steepness(G, target, x, size).max() <= 2 * c
    eps = G.eps(x)
    assert bool(((eps > 0) & (eps <= c)).all())


@each_target
def test_two_points_anywhere_obey_the_same_bound(target):
    """Also across a singularity, where X falls into pieces and derivatives say nothing."""
    G, x = regular_operator(target.F, target.local_lipschitz), target.near(DISTANCES)
    generator = torch.Generator().manual_seed(1)
    for size in (0.0, 10.0):
        value = G(state(target, x, size), x)
        for _ in range(10):
            other = torch.randperm(len(x), generator=generator)
            apart = (x - x[other]).norm(dim=1)
            assert bool(
                ((value - value[other]).norm(dim=1) <= (1 + size) * apart * (1 + 1e-9)).all()
            )


@each_target
def test_the_audit_finds_the_operator_regular_with_the_target_as_its_fixed_point(target):
    G, x = regular_operator(target.F, target.local_lipschitz), target.near(DISTANCES[:12:2])
    found = regularity.audit(G, torch.zeros_like(target.F(x)), x)
    assert found.regular, found.report
    assert torch.allclose(found.mu, G.modulus(x), rtol=1e-6)
    assert torch.allclose(found.measured, target.slope(x), rtol=1e-2)
    assert bool((found.bound >= target.slope(x) * (1 - 1e-3)).all())
    # Picard from 0 is (1 - (1 - eps)^t) F
    for t, y in enumerate(fixed_point.trajectory(G, torch.zeros_like(target.F(x)), x, 20), 1):
        assert torch.allclose(y, G.iterate(x, t), rtol=1e-10)


@each_target
def test_without_a_bound_it_is_estimated(target):
    G, x = regular_operator(target.F), target.near(DISTANCES)
    for size in (0.0, 10.0):
        assert steepness(G, target, x, size).max() <= 1


def test_the_step_has_its_exact_derivative():
    for target in TARGETS.values():
        x = target.near(DISTANCES[:8]).requires_grad_()
        eps = regular_operator(target.F, target.local_lipschitz).eps
        h = 1e-6 * torch.ones_like(x)
        (slope,) = torch.autograd.grad(eps(x).sum(), x)
        with torch.no_grad():
            central = (eps(x + h) - eps(x - h)) / 2e-6
        assert torch.allclose(slope.sum(1), central, rtol=1e-3, atol=1e-6)


# Broken on purpose: the bound above must not survive a wrong step.


def unbounded(G, target):
    value = steepness(G, target, target.near(DISTANCES))
    return value.max() > 10 and value.max() > 10 * value.min()


@each_target
def test_a_constant_step_is_not_regular(target):
    assert unbounded(
        Relaxed(target.F, lambda x: torch.full(x.shape[:1], 0.5, dtype=x.dtype)), target
    )


@each_target
def test_a_step_that_shrinks_too_slowly_is_not_regular(target):
    right = SteepnessStep(target.F, target.local_lipschitz)
    assert unbounded(Relaxed(target.F, lambda x: 0.5 * right.radius(x) ** 0.5), target)


def test_a_local_bound_that_is_not_one_is_not_regular():
    target = TARGETS["sqrt"]
    flat = regular_operator(target.F, lambda x, rho: 0 * rho)
    x = target.near(DISTANCES)
    assert steepness(flat, target, x, 0.0).max() > 50


def test_the_papers_own_step_is_regular_too():
    target = TARGETS["two_singularities"]
    x = target.near(DISTANCES)
    assert steepness(Relaxed(target.F, paper_step), target, x).max() <= 4


# The limit of the theory.


def test_sign_drives_the_modulus_to_one_and_is_refused_at_zero():
    x = torch.tensor([[-1e-3], [0.0], [1e-3], [0.1]], dtype=torch.float64)
    G = regular_operator(SIGN.F, SIGN.local_lipschitz)
    assert G.modulus(x)[1] == 1
    assert bool((1 - G.modulus(x) <= x[:, 0].abs()).all())
    found = regularity.audit(G, torch.zeros_like(x), x)
    assert not found.regular and found.mu[1] == 1 and "no contraction" in found.report
    assert regularity.audit(G, torch.zeros_like(x[2:]), x[2:]).regular


@pytest.mark.parametrize("width", [0.1, 1e-4])
def test_the_modulus_of_a_smooth_sign_is_bounded_by_its_width(width):
    target = smooth_sign(width)
    x = torch.cat(
        [torch.zeros(1, dtype=torch.float64), width * torch.logspace(-1, 1, 9, dtype=torch.float64)]
    )[:, None]
    G = regular_operator(target.F, target.local_lipschitz)
    assert 1 - G.modulus(x).max() <= width
    assert steepness(G, target, x).max() <= 1


def test_bad_input_is_named():
    target = TARGETS["log"]
    for c in (0, 1, -1, True, "a"):
        with pytest.raises(ValueError, match="c must be a number"):
            regular_operator(target.F, target.local_lipschitz, c=c)
    G = regular_operator(target.F, target.local_lipschitz)
    with pytest.raises(ValueError, match=r"not finite for samples \[1\]"):
        G.eps(torch.tensor([[1.0], [-1.0]]))
    with pytest.raises(ValueError, match="shape"):
        G.eps(torch.tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match="one number per sample"):
        regular_operator(target.F, lambda x, rho: x).eps(torch.ones(2, 1))
    with pytest.raises(ValueError, match="points"):
        sampled_lipschitz(target.F, points=4)
    with pytest.raises(ValueError, match="safety"):
        sampled_lipschitz(target.F, safety=0.5)
    with pytest.raises(ValueError, match="width"):
        smooth_sign(0)
