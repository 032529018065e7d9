"""A reader's steps: those that leave G singular grow, one that tames it does not."""

import pytest
import torch
from equilibria.studies import one_over_x as case

STEPS = {
    "half": lambda x: torch.full_like(x[:, 0], 0.5),
    "root": lambda x: x[:, 0].abs().sqrt() / 2,
    "linear": lambda x: x[:, 0].abs() / 2,
}


def test_only_the_linear_step_tames_the_square_root():
    tried = case.measure_steps(torch.sqrt, STEPS, levels=16)
    assert tried["half"]["late_growth"] == pytest.approx(8, rel=0.01)  # 2^(6/2)
    assert tried["root"]["late_growth"] == pytest.approx(8, rel=0.05)
    assert tried["linear"]["late_growth"] == pytest.approx(1, rel=0.05)
    assert tried["linear"]["steepness"].max() <= 1


def test_no_step_tames_the_jump_and_keeps_the_contraction():
    tried = case.measure_steps(torch.sign, STEPS, levels=16, across=True)
    for one in tried.values():
        # At y = 0 the slope across the jump is eps / |x|: it bounds 1 - mu by K |x|.
        assert (one["one_minus_mu"] <= one["steepness"] * one["distance"] * (1 + 1e-12)).all()
    assert tried["half"]["steepness"][-1] > 1e4 and tried["linear"]["one_minus_mu"][-1] < 1e-4


@pytest.mark.parametrize(
    ("steps", "levels", "message"),
    [
        (STEPS, 7, "levels must be at least 8, got 7"),
        ({"large": lambda x: 2 + x[:, 0]}, 8, "step 'large' must map"),
        ({"wide": lambda x: x}, 8, "step 'wide' must map"),
    ],
)
def test_bad_steps_are_refused(steps, levels, message):
    with pytest.raises(ValueError, match=message):
        case.measure_steps(torch.sqrt, steps, levels=levels)
