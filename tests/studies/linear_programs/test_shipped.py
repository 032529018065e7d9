"""The shipped models: they load, and their equilibria are there where they should be."""

import pytest
import torch
from equilibria.operators.lp_graph import graph
from equilibria.problems import linear_programs
from equilibria.studies import linear_programs as study

pytestmark = pytest.mark.end_to_end


@pytest.mark.parametrize("name", study.names("paper"))
def test_every_shipped_checkpoint_loads_and_is_of_the_papers_size(name):
    assert study.seeds(name), f"{name} is not shipped"
    for seed in study.seeds(name):
        _, card = study.load(name, seed=seed)
        assert card["name"] == name
        assert card["seed"] == seed
        assert card["programs"] == [2500, 1000]


@pytest.mark.parametrize("width", study.WIDTHS)
def test_the_shipped_equilibria_are_real(width):
    """Far beyond the depth of training the error is what it was, from any start.

    Most programs end in one point to the last digit. The others cycle around it or have a second
    one: DEVIATIONS.md says how many.
    """
    model = study.load(f"implicit-{width}", seed=0)[0].double()
    programs = linear_programs.generate(40, seed=17, progress=False)
    x = graph(programs, dtype=torch.float64)
    anywhere = torch.rand(40, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    from_zero = iterates(model, x, torch.zeros_like(x.l))
    from_anywhere = iterates(model, x, x.l + (x.u - x.l) * anywhere)
    last_errors = []
    for states in (from_zero, from_anywhere):
        at_32 = study.relative_error(states[32], programs.y).mean().item()
        at_200 = study.relative_error(states[200], programs.y).mean().item()
        assert at_200 <= 1.02 * at_32
        last_errors.append(at_200)
    assert last_errors[1] == pytest.approx(last_errors[0], rel=0.05)
    distance = (from_zero[200] - from_anywhere[200]).norm(dim=1) / from_zero[200].norm(dim=1)
    assert distance.median() < 1e-8


@torch.no_grad()
def iterates(model, x, y):
    """y_0 = y to y_200."""
    q = model.encode(x)
    states = [y]
    for _ in range(200):
        states.append(model(states[-1], q))
    return states


def test_plain_unrolling_has_no_equilibrium():
    """Broken on purpose: the same measurement sees the trap of plain unrolling."""
    model, _ = study.load("unrolled-8", seed=0)
    programs = linear_programs.generate(60, seed=17, progress=False)
    curve = study.along_t(model, programs, steps=64)["mean"]
    assert curve[-1] > 1.02 * min(curve)
