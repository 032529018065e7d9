"""Networks under a Lipschitz bound: the bound holds for what is saved, is nearly attained, and is named when impossible."""

import pytest
import torch
from equilibria import lipschitz
from equilibria import solvers as fixed_point
from equilibria.operators.bounded_mlp import BoundedMLP


def network(limits=(0.9, 5.0), seed=0, layers=2):
    torch.manual_seed(seed)
    return BoundedMLP(
        limits, width=32, layers=layers, spans=[(0.0, 10.0), (0.1, 1.0)][-len(limits) :]
    )


def samples(count, low, high, seed):
    return low + (high - low) * torch.rand(
        count, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )


@pytest.mark.parametrize("limits", [(5.0,), (0.9, 5.0), (0.9, 20.0)], ids=str)
def test_each_input_obeys_its_own_bound(limits):
    model = network(limits).normalise()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for step in range(20):  # drive the weights away from their start, towards a steep answer
        inputs = [
            samples(64, 0, 10 if len(limits) == 2 and i == 0 else 1, step + 100 * i).float()
            for i in range(len(limits))
        ]
        loss = (model(*inputs) - 50 * inputs[-1]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.freeze().eval()
    bounds = model.bounds()
    assert all(0.99 * limit < bound <= limit for bound, limit in zip(bounds, limits, strict=True))
    model.double()
    inputs = [samples(500, -20, 20, i) for i in range(len(limits))]
    for i, limit in enumerate(limits):
        measured = lipschitz.local(
            lambda a, i=i: model(*inputs[:i], a, *inputs[i + 1 :]), inputs[i]
        )
        assert measured.max() <= limit
    assert measured.max() > 0.3 * limits[-1]  # trained for steepness, it uses its bound


def test_normalised_and_frozen_are_the_same_map_with_plain_weights():
    model = network().normalise()
    y, x = samples(20, 0, 10, 0).float(), samples(20, 0.1, 1, 1).float()
    for _ in range(200):  # let the power iteration settle
        model(y, x)
    model.eval()
    before = model(y, x)
    model.freeze()
    assert torch.allclose(model(y, x), before, rtol=1e-3, atol=1e-3)
    assert set(model.state_dict()) == set(network().state_dict())


def test_a_modulus_below_one_has_an_equilibrium_and_one_above_need_not():
    x = samples(50, 0.1, 1, 0)
    model = network((0.9, 5.0)).freeze().double()
    *_, before, last = fixed_point.trajectory(model, torch.zeros_like(x), x, 300)
    assert (last - before).abs().max() < 1e-10 * last.abs().max()
    assert network((1.5, 5.0)).freeze().bounds()[0] > 1.4


def test_bad_settings_are_named():
    for arguments, message in (((0.0,), "limits"), ((), "limits"), ((-1.0, 5.0), "limits")):
        with pytest.raises(ValueError, match=message):
            network(arguments)
    with pytest.raises(ValueError, match="width"):
        BoundedMLP([1.0], width=31, layers=1, spans=[(0, 1)])
    with pytest.raises(ValueError, match="spans"):
        BoundedMLP([1.0], width=32, layers=1, spans=[])
