"""The targets' own slopes and local Lipschitz bounds."""

import pytest
import torch
from equilibria import lipschitz
from equilibria.problems.steep_targets import TARGETS, smooth_sign

DISTANCES = 2.0 ** -torch.arange(1.0, 19.0, 0.5, dtype=torch.float64)
each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


def inside_the_ball(x, rho, generator):
    """A random point within rho of each x."""
    offset = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    length = torch.rand(len(x), 1, generator=generator, dtype=x.dtype)
    return x + rho[:, None] * torch.nn.functional.normalize(offset, dim=1) * length


@each_target
def test_the_targets_own_slopes_and_bounds(target):
    x = target.near(DISTANCES)
    slope = target.slope(x)
    assert torch.allclose(lipschitz.local(target.F, x), slope, rtol=1e-9)
    at_point = target.local_lipschitz(x, torch.zeros(len(x), dtype=x.dtype))
    assert bool((at_point >= slope * (1 - 1e-12)).all())
    assert slope.max() > 100 * slope.min()
    # L is a Lipschitz constant of the whole ball: chords between its points are no steeper.
    rho = 0.4 * DISTANCES.repeat(len(x) // len(DISTANCES)) / 2
    bound = target.local_lipschitz(x, rho)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        a = inside_the_ball(x, rho, generator)
        b = inside_the_ball(x, rho, generator)
        rise = (target.F(a) - target.F(b)).norm(dim=1)
        allowed = bound * (a - b).norm(dim=1)
        assert bool((rise <= allowed * (1 + 1e-9) + 1e-12).all())


def test_a_width_that_is_not_positive_is_refused():
    for width in (0, -1.0):
        with pytest.raises(ValueError, match="width must be positive"):
            smooth_sign(width)
