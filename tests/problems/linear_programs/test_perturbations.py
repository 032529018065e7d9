"""A perturbation moves one input, by the norm that was asked for."""

import pytest
import torch
from equilibria.problems import linear_programs as lp

FIELDS = {"A": "values", "b": "b", "c": "c", "l": "l", "u": "u"}


@pytest.mark.parametrize("kind", lp.KINDS)
def test_perturb_moves_one_input_by_the_norm(programs, kind):
    moved = lp.perturb(programs, kind, norm=1e-4, seed=0)
    for name, field in FIELDS.items():
        change = (getattr(moved, field) - getattr(programs, field)).norm(dim=1)
        expected = 1e-4 if name == kind else 0.0
        assert torch.allclose(change, torch.full_like(change, expected), atol=1e-12), name
    assert torch.equal(moved.y, programs.y)
    again = lp.solve(moved, progress=False)
    assert again.violation(again.y).max() < 1e-8


def test_the_first_programs_move_the_same_way_among_more(programs):
    every = lp.perturb(programs, "A", norm=1e-4, seed=0)
    few = lp.perturb(programs[:3], "A", norm=1e-4, seed=0)
    assert torch.equal(every.values[:3], few.values)


def test_the_answer_moves_with_an_active_bound_and_not_far(programs):
    moved = lp.solve(lp.perturb(programs, "u", norm=1e-4, seed=0), progress=False)
    change = (moved.y - programs.y).norm(dim=1)
    assert 0 < change.max() < 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "d"}, r"kind must be one of \('A', 'b', 'c', 'l', 'u'\), got 'd'"),
        ({"kind": "b", "norm": 0.0}, "norm must be above 0, got 0.0"),
    ],
    ids=["kind", "norm"],
)
def test_impossible_perturbations_are_refused(programs, arguments, message):
    with pytest.raises(ValueError, match=message):
        lp.perturb(programs, **arguments, seed=0)
