"""Two steady states of one forcing."""

import pytest
import torch
from equilibria.operators.steady_flow import another_state, other_states
from equilibria.problems.flow_equation import manufacture, residual
from steady_flows import NU, f64, field, forced

pytestmark = pytest.mark.end_to_end


def generator():
    return torch.Generator().manual_seed(0)


def test_strong_forcing_is_solved_and_has_a_second_state():
    w = field(4, std=0.334, seed=3)
    found, distance = another_state(w, NU)
    assert found.success.all()
    assert residual(found.y, manufacture(w, NU), NU).max() < 1e-6
    assert (distance > 0.1).sum() >= 3


def test_other_states_are_found_and_are_steady():
    w = field(4, std=0.334, seed=3)
    f = manufacture(w, NU)
    states, distance = other_states(f, w, NU, tries=2, generator=generator(), n=32)
    second = distance > 0
    assert second.sum() >= 2  # for most of them the flow from rest is another one
    assert (distance[second] > 0.1).all()
    assert residual(states, f, NU)[second].max() < 1e-6
    assert torch.equal(states[~second], w[~second])
    off = (states - w).flatten(1).norm(dim=1) / w.flatten(1).norm(dim=1)
    torch.testing.assert_close(off, distance)
    # the flow that is followed from rest is among what is tried
    assert ((another_state(w, NU)[1] > 0.01) <= second).all()


def test_no_other_state_where_picard_contracts():
    f, w = forced(2, std=0.01)
    states, distance = other_states(f, w, NU, tries=2, generator=generator())
    assert torch.equal(states, w)
    assert distance.tolist() == [0, 0]


def test_rest_is_the_only_state_without_a_forcing():
    still = torch.zeros(2, 16, 16, dtype=f64)
    assert another_state(still, NU)[1].tolist() == [0, 0]


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(tries=-1), "tries must be at least 0, got -1"),
        (dict(n=33), "n must be an even int of at least 16, got 33"),
        (dict(viscosity=-1.0), "viscosity"),
    ],
)
def test_bad_input_is_named(change, message):
    f, w = forced(1)
    arguments = dict(viscosity=NU, tries=1, generator=generator()) | change
    with pytest.raises(ValueError, match=message):
        other_states(f, w, **arguments)
