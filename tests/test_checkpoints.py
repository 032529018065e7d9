"""Weights come back as they were; missing, damaged or foreign ones are named and refused."""

import json

import pytest
import torch
from equilibria import checkpoints
from torch import nn


@pytest.fixture
def saved(tmp_path):
    """(stem, model) of a checkpoint."""
    model = nn.Linear(3, 2)
    checkpoints.save(tmp_path / "model", model, {"name": "model", "seed": 7})
    return tmp_path / "model", model


def test_weights_and_card_come_back(saved):
    stem, model = saved
    other = nn.Linear(3, 2)
    card = checkpoints.load(stem, other)
    assert torch.equal(other.weight, model.weight)
    assert torch.equal(other.bias, model.bias)
    assert card["seed"] == 7
    assert card["parameters"] == 8
    assert card["versions"]["torch"] == torch.__version__
    assert sorted(p.name for p in stem.parent.iterdir()) == ["model.json", "model.safetensors"]


def flip_a_bit(stem):
    path = stem.with_suffix(".safetensors")
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def cut_weights(stem):
    stem.with_suffix(".safetensors").write_bytes(b"x")


def remove_weights(stem):
    stem.with_suffix(".safetensors").unlink()


def remove_card(stem):
    stem.with_suffix(".json").unlink()


def break_card(stem):
    stem.with_suffix(".json").write_text("{")


def strip_card(stem):
    stem.with_suffix(".json").write_text(json.dumps({"seed": 1}))


DAMAGE = {
    "weights with one bit flipped": (flip_a_bit, "damaged or foreign"),
    "weights cut short": (cut_weights, "damaged or foreign"),
    "no weights": (remove_weights, "there are no weights"),
    "no card": (remove_card, "no checkpoint card"),
    "a card that is not JSON": (break_card, "not a checkpoint card"),
    "a card without a sha256": (strip_card, "has no sha256"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_named_and_the_model_left_alone(saved, damage, message):
    stem, _ = saved
    damage(stem)
    model = nn.Linear(3, 2)
    before = model.weight.detach().clone()
    with pytest.raises(checkpoints.CheckpointError, match=message) as caught:
        checkpoints.load(stem, model)
    assert str(stem) in str(caught.value)
    assert torch.equal(model.weight, before)


def test_another_models_weights_are_refused(saved):
    stem, _ = saved
    with pytest.raises(checkpoints.CheckpointError, match="belongs to another model"):
        checkpoints.load(stem, nn.Linear(4, 2))


def test_a_card_that_is_a_folder_is_refused(saved):
    stem, model = saved
    stem.with_suffix(".json").unlink()
    stem.with_suffix(".json").mkdir()
    with pytest.raises(checkpoints.CheckpointError, match=r"model\.json is not a checkpoint card"):
        checkpoints.load(stem, model)


def test_a_card_that_nests_too_deep_is_refused(saved):
    stem, model = saved
    stem.with_suffix(".json").write_text("[" * 100_000)
    with pytest.raises(checkpoints.CheckpointError, match=r"model\.json is not a checkpoint card"):
        checkpoints.load(stem, model)


@pytest.mark.parametrize(
    ("value", "message"),
    [(torch.nan, "not finite"), (torch.inf, "not finite"), (3, "has the dtype torch.int64")],
)
def test_weights_that_are_no_numbers_are_refused(saved, value, message):
    stem, model = saved
    broken = nn.Linear(3, 2)
    broken.weight = nn.Parameter(torch.full((2, 3), value), requires_grad=False)
    checkpoints.save(stem, broken, {})
    before = model.weight.clone()
    with pytest.raises(checkpoints.CheckpointError, match=f"weight .*{message}"):
        checkpoints.load(stem, model)
    assert torch.equal(model.weight, before)
