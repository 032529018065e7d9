"""The sampled estimate serves in place of a bound on every target; bad settings are named."""

import pytest
import torch
from equilibria import lipschitz
from equilibria.operators.sampled_lipschitz import sampled_lipschitz
from equilibria.operators.sufficiency import regular_operator
from equilibria.problems.steep_targets import TARGETS

DISTANCES = 2.0 ** -torch.arange(1.0, 19.0, 0.5, dtype=torch.float64)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_without_a_bound_it_is_estimated(target):
    G, x = regular_operator(target.F), target.near(DISTANCES)
    for size in (0.0, 10.0):
        y = torch.zeros_like(target.F(x))
        y[:, 0] = size

        def image(x, y=y):
            return G(y, x)

        # Theorem 2.4 bounds Lip_x(G) by 2 c (1 + |y|), and c = 1/2.
        assert (lipschitz.local(image, x) / (1 + size)).max() <= 1


def test_bad_settings_are_named():
    for points in (4, 1, 3.0, True):
        with pytest.raises(ValueError, match="points must be an odd integer"):
            sampled_lipschitz(torch.sqrt, points=points)
    with pytest.raises(ValueError, match="safety must be at least 1"):
        sampled_lipschitz(torch.sqrt, safety=0.5)
