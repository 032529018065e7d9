"""A few steps of every training: checkpoints, resumption, sizes."""

import pytest
import torch
from equilibria import checkpoints, training
from equilibria.studies import language


def test_the_names_are_those_of_models_alone():
    assert language.names("quick") == language.names("paper")
    for name in language.names("quick"):
        assert language.new(name, profile="quick", seed=1).architecture.core >= 1


@pytest.mark.parametrize("name", language.names("quick"))
def test_a_few_steps_write_a_checkpoint_that_loads(quick, name):
    outcome = language.train(name, profile="quick", seed=2, device="cpu")
    assert outcome.finished
    assert outcome.step == 4
    model, card = language.load(name, seed=2, profile="quick")
    assert card["name"] == name
    assert card["parameters"] == sum(p.numel() for p in model.parameters()) < 5e6
    assert language.seeds(name, profile="quick") == [2]
    assert language.seeds(name) == []
    with pytest.raises(checkpoints.CheckpointError, match=f"{name}-seed5.json"):
        language.load(name, seed=5, profile="quick")
    if name in language.reasoning.NAMES:
        task, _, kind = name.partition("-")
        times = [1 if kind else 32]
        again = language.reasoning.accuracy_along_t(model, task, 16, times, count=64)["last"]
        assert again[0] == pytest.approx(card["metrics"]["right_at_16"])


@pytest.mark.parametrize("name", ["parity", "senses"])
def test_a_stopped_training_ends_in_the_same_weights(quick, monkeypatch, name):
    settings = training.Settings
    monkeypatch.setattr(
        training, "Settings", lambda **given: settings(**{**given, "save_every": 2})
    )
    language.train(name, profile="quick", seed=0, device="cpu")
    whole, _ = language.load(name, seed=0, profile="quick")
    monkeypatch.setenv("EQUILIBRIA_DATA", str(quick / "again"))
    assert not language.train(name, profile="quick", seed=0, minutes=1e-9, device="cpu").finished
    assert language.train(name, profile="quick", seed=0, minutes=1e-9, device="cpu").finished
    part, _ = language.load(name, seed=0, profile="quick")
    for before, after in zip(whole.parameters(), part.parameters(), strict=True):
        assert torch.equal(before, after)


def test_the_models_are_of_the_sizes_promised():
    count = {}
    for name in language.names("quick"):
        count[name] = sum(p.numel() for p in language.new(name).parameters())
    assert count["parity"] == count["parity-once"] < 51_000
    assert count["parity-stack"] > 15 * count["parity"]
    assert count["senses"] == count["senses-once"] < 2.6e6  # 10 MiB
    assert count["senses-stack"] > 3 * count["senses"]
