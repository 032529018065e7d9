"""A few steps of every training: checkpoints, resumption, sizes."""

import pytest
import torch
from equilibria import checkpoints, training
from equilibria.splits import SplitError
from equilibria.studies import language
from equilibria.studies.language.reasoning import training as reasoning_training

pytestmark = pytest.mark.end_to_end


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
    task, _, kind = name.partition("-")
    asked = language.reasoning.validation_questions(task, 64, 16)
    again = language.reasoning.accuracy_along_t(model, asked, [1 if kind else 32])["last"]
    assert again[0] == pytest.approx(card["metrics"]["right_at_16"])


def test_a_training_cannot_be_validated_on_test_questions(quick, monkeypatch):
    monkeypatch.setattr(
        reasoning_training, "validation_questions", language.reasoning.test_questions
    )
    with pytest.raises(SplitError, match="train asked for test questions of parity"):
        language.train("parity", profile="quick", device="cpu")


def test_a_training_does_not_train_on_test_questions(quick, monkeypatch):
    def drawn(task, count, length, *, generator):
        return language.reasoning.test_questions(task, count, length)

    monkeypatch.setattr(reasoning_training, "questions", drawn)
    with pytest.raises(SplitError, match="train asked for test questions of sums"):
        language.train("sums", profile="quick", device="cpu")


def test_no_test_asks_the_questions_of_the_validation():
    """All other seeds give other questions, and that of the validation is refused."""
    validated = language.reasoning.validation_questions("parity", 64, 64)
    tested = language.reasoning.test_questions("parity", 200, 64)
    shared = set(map(tuple, validated.tokens.tolist())) & set(map(tuple, tested.tokens.tolist()))
    assert not shared
    with pytest.raises(ValueError, match="seed must be an int of at least 0 and below"):
        language.reasoning.test_questions("parity", 2, 4, seed=2**40)


@pytest.mark.parametrize("name", ["parity", "parity-once"])
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
