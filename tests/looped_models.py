"""Small looped transformers with random weights, for tests of the model, decoding and loading."""

import pytest
import torch
from equilibria.operators.looped_transformer import Architecture, LoopedTransformer

SMALL = Architecture(
    vocabulary=13, width=24, heads=3, hidden=20, prelude=1, core=2, coda=1, context=32
)
REASONING = Architecture(
    vocabulary=5,
    width=16,
    heads=2,
    hidden=24,
    prelude=0,
    core=1,
    coda=0,
    context=32,
    injection="add",
    positions="distance",
    norms="pre",
    state_norm=True,
    tied=False,
)
KINDS = pytest.mark.parametrize("architecture", [SMALL, REASONING], ids=["huginn", "reasoning"])


def model_of(architecture, seed=0, dtype=torch.float64):
    """Random weights, also of norms and biases, so that a wrong or forgotten one shows."""
    torch.manual_seed(seed)
    model = LoopedTransformer(architecture).to(dtype)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1 or name.endswith("qk_bias"):
                parameter.add_(0.3 * torch.randn_like(parameter))
            elif "wte" not in name:
                parameter.mul_(2)
    return model.eval()


def tokens_of(architecture, batch=2, length=7, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(architecture.vocabulary, (batch, length), generator=generator)
