"""Visits to a loop: which iterations carry gradients, and which states of a pool begin anew."""

import pytest
import torch
from equilibria.training.visits import (
    WarmPool,
    draw_int,
    graded_iterates,
    iterate_freely,
    separation,
)


def G(y, x):
    return 0.5 * y + x


def new_pool():
    state = torch.zeros(4, 2)
    return WarmPool(state, torch.zeros(4, dtype=torch.int64))


def test_only_graded_iterates_carry_gradients():
    x = torch.ones(1, requires_grad=True)
    y = iterate_freely(G, torch.zeros(1), x, 2)
    assert y.item() == 1.5 and not y.requires_grad
    first, second = graded_iterates(G, y, x, 2)
    assert (first.item(), second.item()) == (1.75, 1.875)
    second.backward()
    assert x.grad.item() == 1.5  # d/dx of 0.5 (0.5 y + x) + x


@pytest.mark.parametrize("radius", [0.5, 0.9, 1.2])
def test_close_states_separate_by_the_spectral_radius(radius):
    # leading eigenvalues: a complex pair of this modulus, in a basis in which one step can grow
    angle = torch.tensor(1.0, dtype=torch.float64)
    turn = torch.stack(
        [torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])]
    )
    skew = torch.tensor([[1.0, 3.0], [0.0, 1.0]], dtype=torch.float64)
    A = radius * skew @ turn @ torch.linalg.inv(skew)
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)

    def operator(y, x):
        return scale * y @ A.T + x

    y = torch.ones(3, 2, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    steps = 20
    grown = separation(operator, y, y, search=20, steps=steps, generator=generator)
    rate = grown ** (1 / steps)
    # the condition number of the basis, about 11, is all that the powers can be off by
    assert (rate / radius - 1).abs().max() < 11 ** (1 / steps) - 1
    grown.log().sum().backward()
    assert scale.grad.item() == pytest.approx(3 * steps)  # d log(scale^steps) / d scale


def test_numbers_are_drawn_with_both_ends():
    generator = torch.Generator().manual_seed(0)
    numbers = {draw_int(2, 4, generator) for _ in range(100)}
    assert numbers == {2, 3, 4}


def test_slots_begin_anew_when_they_must():
    pool = new_pool()
    slots = torch.tensor([0, 1, 2])
    generator = torch.Generator().manual_seed(0)
    assert pool.draw_afresh(slots, 0.0, generator).all()  # never drawn
    pool.begin(slots, torch.ones(3, 2))
    pool.store(slots, torch.full((3, 2), 2.0, requires_grad=True))
    pool.store(torch.tensor([1]), torch.tensor([[float("nan"), 0.0]]))
    assert pool.draw_afresh(slots, 0.0, generator).tolist() == [False, True, False]
    assert pool.draw_afresh(slots, 1.0, generator).all()
    assert pool.visits.tolist() == [1, 2, 1, 0]
    assert not pool.state.requires_grad and pool.state[0].tolist() == [2, 2]
