"""Steepness, contraction and paths, on loops whose answers are known."""

import pytest
import torch
from equilibria.studies.language import loops
from known_loops import Linear


def test_contraction_of_a_linear_loop():
    model, tokens = Linear(), torch.tensor([[1, 2, 3], [3, 1, 1]])
    measured = loops.contraction(model, tokens)
    assert measured["modulus"] == pytest.approx([0.5, 0.5])
    assert measured["rate"] == pytest.approx([0.5, 0.5], rel=1e-6)
    assert max(measured["residual"]) < 1e-14


@pytest.mark.parametrize("times", [[], [0, 1], [2, 1], [1, 1]], ids=str)
def test_times_must_rise(times):
    with pytest.raises(ValueError, match="times must be rising numbers of loops from 1 on"):
        loops.require_times(times)
