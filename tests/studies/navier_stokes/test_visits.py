"""Symmetries of flows, and the visits by which the implicit model is trained."""

import equilibria as eq
import pytest
import torch
from equilibria.operators.fourier import ImplicitFNO
from equilibria.problems.flow_equation import manufacture
from equilibria.studies import navier_stokes as study
from equilibria.studies.navier_stokes import visits
from steady_flows import NU, TINY, forced


def test_the_eight_images_of_a_flow_are_steady_flows():
    f, w = forced(8)
    x, y = study.turned(f, w, torch.arange(8))
    torch.testing.assert_close(manufacture(y, NU), x, atol=1e-15, rtol=0)
    assert torch.equal(x[0], f[0])
    assert torch.equal(y[0], w[0])
    same = f[:1].expand(8, -1, -1, -1), w[:1].expand(8, -1, -1)
    images = study.turned(*same, torch.arange(8))[1].flatten(1)
    assert torch.cdist(images, images).add(torch.eye(8)).min() > 0.1  # all different


@pytest.fixture
def pool(monkeypatch):
    """A pool on 16 x 16 points in which no slot is drawn afresh by chance."""
    monkeypatch.setattr(visits, "_AFRESH", 0.0)
    return study.FlowPool.empty(TINY.pool, width=TINY.width, n=16, device="cpu")


@pytest.fixture
def model():
    torch.manual_seed(0)
    return ImplicitFNO(width=4, modes=3)


def test_a_pool_names_its_tensors_by_grid(pool):
    assert set(pool.memory()) == {"z16", "flow16", "code16", "visits16"}
    assert pool.memory()["z16"] is pool.warm.state


def moved(after, before):
    size = after.detach().flatten(1).norm(dim=1)
    return ((after - before).flatten(1).norm(dim=1) / size).mean()


def test_a_visit_costs_the_graded_errors_and_the_last_move(pool, model):
    f, w = (part.float() for part in forced(6, 16))
    f = 1e3 * f
    slots, flow, code = torch.tensor([1, 4]), torch.tensor([5, 2]), torch.tensor([3, 6])
    start = torch.randn(2, 4, 256)
    pool.warm.visits[:] = 1
    pool.warm.state[slots] = start
    pool.flow[slots] = flow
    pool.code[slots] = code
    generator = torch.Generator().manual_seed(0)
    value = study.pool_loss(model, pool, f, w, slots, generator, free=(5, 5))

    x, label = study.turned(f[flow], w[flow], code)
    *_, before, first, second, last = eq.trajectory(model, start, model.encode(x), 8)
    graded = [study.relative_error(model.decode(z), label).mean() for z in (first, second, last)]
    torch.testing.assert_close(value, sum(graded) / 3 + 0.1 * moved(last, second))
    torch.testing.assert_close(pool.warm.state[slots], last)

    # the free iterations are constants: the gradient is that of three from where they ended
    value.backward()
    gradient = model.injections[0].weight.grad.clone()
    model.zero_grad()
    z, q, graded = before.detach(), model.encode(x), []
    for _ in range(3):
        previous, z = z, model(z, q)
        graded.append(study.relative_error(model.decode(z), label).mean())
    (sum(graded) / 3 + 0.1 * moved(z, previous)).backward()
    expected = model.injections[0].weight.grad
    torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-6)


def test_the_pool_keeps_states_between_visits(pool, model):
    f, w = (part.float() for part in forced(6, 16))
    slots = torch.tensor([0, 1, 2, 5])

    def visit(seed):
        generator = torch.Generator().manual_seed(seed)
        return study.pool_loss(model, pool, 1e3 * f, w, slots, generator)

    assert torch.isfinite(visit(0))
    assert pool.warm.visits.tolist() == [1, 1, 1, 0, 0, 1, 0, 0]
    flow, state = pool.flow.clone(), pool.warm.state.clone()
    visit(1)
    assert torch.equal(pool.flow, flow)
    assert not torch.equal(pool.warm.state, state)
    assert pool.warm.state[3].abs().max() == 0
    pool.warm.state[0] = torch.nan  # a lost state is drawn afresh
    assert torch.isfinite(visit(2))
    assert pool.warm.visits.tolist() == [1, 3, 3, 0, 0, 3, 0, 0]
