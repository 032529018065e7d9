"""The pool of an implicit model: warm states, and a penalty that finds the modulus."""

import pytest
import torch
from deblurring_models import Shrink, f64, scene
from equilibria.operators.deblurring import Denoiser, ImplicitHQS, ImplicitPGD
from equilibria.studies.deblurring.pool import PhotographPool, Visits, pool_loss


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_the_pool_keeps_states_between_visits(blur):
    torch.manual_seed(0)
    model = ImplicitHQS(Denoiser((8, 8, 8, 8), 1), blur)
    pool = PhotographPool.empty(8, 32, device="cpu")
    photographs = list(scene(3, 48).float())
    slots = torch.tensor([0, 1, 4, 5])
    visits = Visits(free=6, young_afresh=1.0, old_afresh=0.34, modulus=1.0, penalty=0.0)

    def visit(seed):
        return pool_loss(model, pool, photographs, slots, seeded(seed), visits=visits)

    assert torch.isfinite(visit(0))
    assert pool.warm.visits.tolist() == [1, 1, 0, 0, 1, 1, 0, 0]
    first_truth = pool.truth.clone()
    for seed in range(1, 60):
        visit(seed)
    unchanged = (pool.truth == first_truth).flatten(1).all(1)
    assert unchanged[[2, 3, 6, 7]].all()  # not visited
    assert not unchanged[:2].any()
    # The old half is drawn afresh less often, and its states are near their equilibrium.
    assert pool.warm.visits[4:6].max() > pool.warm.visits[:2].max()

    def residual(y):
        with torch.no_grad():
            return (model(y, pool.x[5:6]) - y).norm().item()

    warm = pool.warm.state[5:6]
    assert residual(warm) < 0.3 * residual(torch.zeros_like(warm))


def test_the_penalty_finds_the_modulus_of_the_operator(blur):
    visits = Visits(free=2, young_afresh=0.0, old_afresh=0.0, modulus=0.95, penalty=0.5)
    stretch = 1.5  # of G at frequencies that the blur removes
    model = ImplicitPGD(Shrink(stretch), blur).double()
    # States at 0 with a measurement of 0: a linear operator's Jacobian is the same everywhere.
    pool = PhotographPool.empty(8, 32, device="cpu", dtype=f64)
    pool.warm.visits.fill_(1)
    pool.direction.copy_(torch.randn(pool.direction.shape, generator=seeded(0), dtype=f64))
    for seed in range(100):
        loss = pool_loss(model, pool, [], torch.arange(8), seeded(seed), visits=visits)
    assert pool.warm.visits.tolist() == [101] * 8
    K = blur.symbol(pool.x).abs()
    modulus = stretch * (1 - K.square()).max().item()
    assert loss.item() == pytest.approx(0.5 * (modulus - visits.modulus) ** 2, rel=0.02)


def test_a_pool_lists_all_tensors_that_a_resumed_training_needs():
    pool = PhotographPool.empty(8, 32, device="cpu")
    memory = pool.memory()
    assert list(memory) == ["truth", "x", "y", "direction", "visits"]
    assert memory["y"] is pool.warm.state
    assert memory["visits"] is pool.warm.visits
