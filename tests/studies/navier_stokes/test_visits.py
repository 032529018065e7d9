"""Symmetries of flows, and the visits by which the implicit model is trained."""

from dataclasses import replace

import equilibria as eq
import pytest
import torch
from equilibria.operators.fourier import ImplicitFNO
from equilibria.problems.flow_data import Flows
from equilibria.problems.flow_equation import manufacture, manufacture_without_pressure
from equilibria.studies import navier_stokes as study
from equilibria.studies.navier_stokes import visits
from steady_flows import NU, TINY, field


def training_flows(w, n=32, speeds=(0.6, 1.4)):
    flows = Flows(manufacture_without_pressure(w, NU), w, len(w))
    return study.TrainingFlows.of(flows, manufacture_without_pressure(-w, NU), n, "cpu", speeds)


def test_the_eight_images_of_a_flow_are_steady_flows():
    w = field(8)
    f = manufacture(w, NU)
    x, y = study.turned(f, w, torch.arange(8))
    torch.testing.assert_close(manufacture(y, NU), x, atol=1e-15, rtol=0)
    assert torch.equal(x[0], f[0])
    assert torch.equal(y[0], w[0])
    same = f[:1].expand(8, -1, -1, -1), w[:1].expand(8, -1, -1)
    images = study.turned(*same, torch.arange(8))[1].flatten(1)
    assert torch.cdist(images, images).add(torch.eye(8)).min() > 0.1  # all different


def test_a_flow_at_another_speed_is_a_steady_flow():
    w = field(3)
    flows = training_flows(w)
    speed, code = torch.tensor([0.5, 1.0, 1.5]), torch.tensor([0, 3, 6])
    x, y = flows.images(torch.tensor([2, 0, 1]), speed, code)
    expected = speed.double()[:, None, None] * w[[2, 0, 1]]
    torch.testing.assert_close(y.double(), study.turned(x, expected, code)[1], check_dtype=False)
    driven = manufacture_without_pressure(y.double(), NU)
    torch.testing.assert_close(driven, x.double(), rtol=1e-4, atol=1e-7)


def test_about_half_of_the_speeds_are_drawn():
    flows = training_flows(field(1))
    speed = flows.draw_speeds(1000, torch.Generator().manual_seed(0))
    drawn = speed[speed != 1]
    assert 400 < len(drawn) < 600
    assert 0.6 <= drawn.min() < 0.65
    assert 1.35 < drawn.max() <= 1.4


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
    assert set(pool.memory(16)) == {"z16", "flow16", "code16", "speed16", "visits16"}
    assert pool.memory(16)["z16"] is pool.warm.state


def moved(after, before):
    size = after.detach().flatten(1).norm(dim=1)
    return ((after - before).flatten(1).norm(dim=1) / size).mean()


@pytest.fixture
def flows():
    """Six flows on 16 x 16 points, at the speed of their own, in units of about one."""
    own = training_flows(field(6, 16), 16, (1.0, 1.0))
    return replace(own, even=1e3 * own.even, odd=1e3 * own.odd)


def test_a_visit_costs_the_graded_errors_and_the_last_move(pool, model, flows, monkeypatch):
    monkeypatch.setattr(visits, "_RATE_PENALTY", 0.0)
    slots, flow, code = torch.tensor([1, 4]), torch.tensor([5, 2]), torch.tensor([3, 6])
    start = torch.randn(2, 4, 256)
    pool.warm.visits[:] = 1
    pool.warm.state[slots] = start
    pool.flow[slots] = flow
    pool.code[slots] = code
    generator = torch.Generator().manual_seed(0)
    value = study.pool_loss(model, pool, flows, slots, generator, free=(5, 5))

    x, label = flows.images(flow, torch.ones(2), code)
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


class Linear(ImplicitFNO):
    """G(z, q) = rate z + (1 - rate): rests at 1 with a spectral radius of ``rate``."""

    rate = 0.5

    def forward(self, z, q):
        return self.rate * z + (1 - self.rate)


@pytest.mark.parametrize("rate, free, costs", [(0.5, 9, 0.0), (0.98, 30, 0.08**2), (0.98, 0, 0.0)])
def test_a_neighbour_of_a_resting_state_has_to_come_closer(pool, flows, rate, free, costs):
    model = Linear(width=4, modes=3)
    model.rate = rate
    slots = torch.arange(4)

    def loss(penalty):
        visits._RATE_PENALTY, before = penalty, visits._RATE_PENALTY
        try:
            pool.warm.visits[:] = 1
            pool.warm.state[:] = 1.0 if free else 0.1  # at rest, or on the way
            generator = torch.Generator().manual_seed(0)
            return study.pool_loss(model, pool, flows, slots, generator, free=(free, free))
        finally:
            visits._RATE_PENALTY = before

    assert (loss(1.0) - loss(0.0)).item() == pytest.approx(costs, abs=1e-4)


def test_the_pool_keeps_states_between_visits(pool, model, flows):
    slots = torch.tensor([0, 1, 2, 5])

    def visit(seed):
        generator = torch.Generator().manual_seed(seed)
        return study.pool_loss(model, pool, flows, slots, generator)

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
