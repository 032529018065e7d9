"""Steepness, contraction and paths, on loops whose answers are known."""

import pytest
import torch
from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.problems.reasoning import running_sums
from equilibria.studies.language import loops
from known_loops import TINY, Linear


def test_steepness_of_a_linear_loop():
    model, tokens = Linear(), torch.tensor([[1, 2, 3], [3, 1, 1]])
    found = loops.steepness(model, tokens, [1, 2, 5])
    for i, t in enumerate((1, 2, 5)):
        expected = 2 * (1 - 0.5**t) / 0.5  # b (1 + a + ... + a^(t - 1))
        assert found["latent"][i] == pytest.approx([expected] * 2, rel=1e-6)
        assert found["logits"][i] == pytest.approx([3 * expected] * 2, rel=1e-6)


def test_contraction_of_a_linear_loop():
    model, tokens = Linear(), torch.tensor([[1, 2, 3], [3, 1, 1]])
    measured = loops.contraction(model, tokens)
    assert measured["modulus"] == pytest.approx([0.5, 0.5])
    assert measured["rate"] == pytest.approx([0.5, 0.5], rel=1e-6)
    assert max(measured["residual"]) < 1e-14


def test_paths_are_the_two_largest_principal_components():
    torch.manual_seed(0)
    model = LoopedTransformer(TINY).double()
    tokens = running_sums(2, 6, generator=0).tokens
    found = loops.paths(model, tokens, 7)
    points, share = found["points"], found["share"]
    last = model.states(tokens, 7)[:, :, -1].transpose(0, 1)  # (2, 7, width)
    centred = last - last.mean((0, 1))
    spread = centred.square().sum()
    assert points.shape == (2, 7, 2)
    assert share[0] >= share[1]
    assert points.mean((0, 1)).abs().max() < 1e-12
    torch.testing.assert_close(points.square().sum((0, 1)), share * spread)
    variances = torch.linalg.eigvalsh(centred.flatten(0, 1).T @ centred.flatten(0, 1))
    torch.testing.assert_close(share * spread, variances.flip(0)[:2])


def test_paths_part_and_come_to_rest():
    """z_t = b x (1 + a + ... + a^(t-1)) at the last position, x = (3, 9) and (1, 1) there."""
    model, tokens = Linear(), torch.tensor([[1, 2, 3], [1, 2, 1]])
    found = loops.paths(model, tokens, 5)
    size = (90**0.5 + 2**0.5) / 2
    assert found["apart"].tolist() == pytest.approx([68**0.5 / size] * 5)
    moved = [0.5 ** (t - 1) * 0.5 / (1 - 0.5**t) for t in range(1, 6)]
    assert found["moved"].tolist() == pytest.approx(moved)


@pytest.mark.parametrize("times", [[], [0, 1], [2, 1], [1, 1]], ids=str)
def test_times_must_rise(times):
    with pytest.raises(ValueError, match="times must be rising numbers of loops from 1 on"):
        loops.require_times(times)
