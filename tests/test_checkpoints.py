"""Weights come back as they were; what is missing, damaged or another model's is named and refused."""

import json

import pytest
import torch
from equilibria import checkpoints
from torch import nn


@pytest.fixture
def saved(tmp_path):
    model = nn.Linear(3, 2)
    checkpoints.save(tmp_path / "model", model, {"name": "model", "seed": 7})
    return tmp_path / "model", model


def test_weights_and_card_come_back(saved):
    stem, model = saved
    other = nn.Linear(3, 2)
    card = checkpoints.load(stem, other)
    assert torch.equal(other.weight, model.weight) and torch.equal(other.bias, model.bias)
    assert (
        card["seed"] == 7
        and card["parameters"] == 8
        and card["versions"]["torch"] == torch.__version__
    )
    assert sorted(p.name for p in stem.parent.iterdir()) == ["model.json", "model.safetensors"]


def flip_a_byte(stem):
    path = stem.with_suffix(".safetensors")
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "weights with one bit flipped": (flip_a_byte, "damaged or foreign"),
    "weights cut short": (
        lambda stem: stem.with_suffix(".safetensors").write_bytes(b"x"),
        "damaged or foreign",
    ),
    "no weights": (lambda stem: stem.with_suffix(".safetensors").unlink(), "there are no weights"),
    "no card": (lambda stem: stem.with_suffix(".json").unlink(), "no checkpoint card"),
    "a card that is not JSON": (
        lambda stem: stem.with_suffix(".json").write_text("{"),
        "not a checkpoint card",
    ),
    "a card without a sha256": (
        lambda stem: stem.with_suffix(".json").write_text(json.dumps({"seed": 1})),
        "has no sha256",
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_named_and_the_model_left_alone(saved, what):
    stem, _ = saved
    damage, message = DAMAGE[what]
    damage(stem)
    model = nn.Linear(3, 2)
    before = model.weight.detach().clone()
    with pytest.raises(checkpoints.CheckpointError, match=message) as caught:
        checkpoints.load(stem, model)
    assert str(stem) in str(caught.value) and torch.equal(model.weight, before)


def test_another_models_weights_are_refused(saved):
    stem, _ = saved
    with pytest.raises(checkpoints.CheckpointError, match="belongs to another model"):
        checkpoints.load(stem, nn.Linear(4, 2))
