"""Trainings that compute in bfloat16: what is low, what stays in float32, when it is allowed."""

from dataclasses import replace

import pytest
import torch
from equilibria import checkpoints, training
from equilibria.training.visits import WarmPool
from torch import nn

SETTINGS = training.Settings(steps=400, learning_rate=0.05, seed=0, precision="bfloat16")
TRUE_WEIGHTS = torch.tensor([[1.0, -2.0, 0.5, 3.0]])


def test_the_loss_is_low_and_all_else_is_float32(tmp_path):
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    pool = WarmPool(torch.zeros(3, 1), torch.zeros(3, dtype=torch.int64))
    seen = set()

    def loss(model, step, generator):
        x = torch.randn(16, 4, generator=generator)
        answer = model(x)
        seen.add(answer.dtype)
        pool.store(torch.tensor([1]), answer[:1])
        return (answer.float() - x @ TRUE_WEIGHTS.T).square().mean()

    def validate(model):
        answer = model(torch.ones(1, 4))
        assert answer.dtype == torch.float32
        return {"error": abs(answer.item() - TRUE_WEIGHTS.sum().item())}

    outcome = training.train(
        model, loss, settings=SETTINGS, stem=tmp_path / "m", validate=validate, progress=False
    )
    assert seen == {torch.bfloat16}
    assert pool.state.dtype == torch.float32 and pool.state[1] != 0
    assert {tensor.dtype for tensor in model.state_dict().values()} == {torch.float32}
    assert 0 < outcome.metrics["error"] < 0.1
    assert checkpoints.read_card(tmp_path / "m")["training"]["precision"] == "bfloat16"


def test_float32_is_not_declared_so_that_earlier_trainings_go_on():
    assert "precision" not in replace(SETTINGS, precision="float32").declared()
    with pytest.raises(ValueError, match="precision must be one of float32, bfloat16, got 'half'"):
        replace(SETTINGS, precision="half")


def test_the_residual_of_rounding_is_that_of_eight_bits():
    """Every entry of A y is off by up to half a unit in the last of bfloat16's eight bits."""
    A = 0.5 * torch.eye(6)
    x = torch.randn(100, 6, generator=torch.Generator().manual_seed(0))
    y = 2 * x  # the fixed point of y <- A y + x
    residual = training.rounding_residual(lambda y, x: y @ A + x, y, x)
    assert residual.shape == (100,)
    assert residual.max() <= 2**-9
    assert residual.median() > 2**-12
    same = training.rounding_residual(lambda y, x: 0.5 * y + x, y, x)
    assert torch.equal(same, torch.zeros(100)), "autocast leaves sums and scalings alone"
