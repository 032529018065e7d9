"""The list of trainings: order, what is done, sizes and hours."""

import pytest
import torch
from equilibria import checkpoints
from equilibria.companion.command_line.trainings import Training, trainings
from equilibria.companion.parameters import ParameterError
from torch import nn


def test_what_a_training_needs_comes_first(study, monkeypatch):
    monkeypatch.setattr(study, "needs", lambda name: [] if name == "large" else ["large"], False)
    listed = trainings("quick", models="sample/small", seeds="1,2")
    found = [(training.name, training.seed) for training in listed]
    assert found == [("large", 0), ("small", 1), ("small", 2)]
    assert len(trainings("quick")) == 2


@pytest.mark.parametrize(
    ("profile", "options", "message"),
    [
        ("big", {}, "PROFILE must be one of quick, paper, got 'big'"),
        ("quick", {"models": "other"}, "no case 'other'; there are sample"),
        ("quick", {"models": "sample/huge"}, "no model 'sample/huge' in profile quick; there are"),
        ("quick", {"seeds": "1,-2"}, "SEEDS must be whole numbers such as 0,1,2, got '1,-2'"),
        ("quick", {"seeds": ""}, "SEEDS must be whole numbers"),
    ],
)
def test_what_cannot_be_trained_is_refused(study, profile, options, message):
    with pytest.raises(ParameterError, match=message):
        trainings(profile, **options)


def test_hours_come_from_another_seed_and_then_from_the_saved_state(study):
    training = Training("sample", "small", "quick", 1)
    assert training.about() == "weights 2, hours unknown until its first piece is done"
    card = {"seconds": 7200, "device": "cuda"}
    checkpoints.save(study.RECORDS.stem("small", seed=0), nn.Linear(1, 1), card)
    assert training.about() == "weights 2, 2 hours, as seed 0 took on cuda"
    metadata = {
        "recipe": '{"settings": {"steps": 100}}',
        "counters": '{"step": 25, "seconds": 3600}',
    }
    state = study.RECORDS.folder().parents[1] / "trainings/sample/quick"
    path = state / "small-seed1.state.safetensors"
    checkpoints.write_tensors(path, {"w": torch.zeros(1)}, metadata)
    assert training.about() == "weights 2, step 25 of 100, 3 hours to go"
    assert not training.card.exists() and Training("sample", "small", "quick", 0).card.exists()


def test_a_card_lies_where_the_training_writes_it():
    """The toy is the same in every profile; other cases have a folder for each."""
    quick, paper = (
        Training("one_over_x", "explicit-5", name, 0).card for name in ("quick", "paper")
    )
    assert quick == paper and quick.exists()
    assert Training("deblurring", "hqs", "paper", 0).card.parent.name == "paper"
