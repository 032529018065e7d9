"""The bounded pair: what a slope costs, and of what map it is the slope."""

import pytest
import torch
from equilibria import lipschitz
from equilibria.operators.fourier import ExplicitFNO, ImplicitFNO
from equilibria.studies import navier_stokes as study
from equilibria.studies.navier_stokes import bounded


def steep(slope):
    """A linear map (B, 2, n, n) -> (B, n, n) of this norm: one component, the other a tenth."""
    return lambda x: slope * x[:, 0] + 0.1 * slope * x[:, 1]


@pytest.mark.parametrize("share, costs", [(0.5, False), (1.5, True)])
def test_a_slope_costs_beyond_its_share_of_the_bound(share, costs):
    x = torch.randn(3, 2, 16, 16)
    norm = (1 + 0.1**2) ** 0.5
    slope = share * study.BOUND / norm
    cost = bounded.slope_penalty(steep(slope), x, torch.Generator().manual_seed(0)).item()
    expected = bounded._WEIGHT * max(0, share - bounded._AIM) ** 2
    assert cost == pytest.approx(expected, rel=1e-3)
    assert (cost > 0) == costs


def test_the_penalty_lowers_the_slope_of_a_network():
    torch.manual_seed(0)
    model = ExplicitFNO(width=4, modes=3, input_scale=0.1, output_scale=0.05)
    x = torch.randn(3, 2, 10, 10)
    answer = bounded.in_network_units(model)
    torch.testing.assert_close(answer(x), model(0.1 * x) / 0.05)

    def slope():
        return lipschitz.local(answer, x, tol=0.01).max().item()

    for p in model.parameters():
        p.data *= 2
    before = slope()
    assert before > 2 * study.BOUND
    optimizer = torch.optim.Adam(model.parameters(), 2e-2)
    for step in range(40):
        cost = bounded.slope_penalty(answer, x, torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
    assert slope() < study.BOUND


def test_the_operators_slope_is_that_from_forcing_to_answer_at_a_fixed_state():
    torch.manual_seed(0)
    model = ImplicitFNO(width=4, modes=3, input_scale=0.1, output_scale=0.05)
    x, z = torch.randn(2, 2, 16, 16), torch.randn(2, 4, 256)
    expected = model.decode(model(z, model.encode(0.1 * x))) / 0.05
    torch.testing.assert_close(bounded.in_network_units(model, z)(x), expected)
