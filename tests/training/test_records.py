"""Records of trained models: their folders, what is written, and when a model is measured again."""

import json

import pytest
import torch
from equilibria import checkpoints, training
from equilibria.training.records import CaseRecords, header, rounded, timed
from torch import nn


@pytest.fixture
def records(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    return CaseRecords("case", "quick", lambda name, profile: nn.Linear(2, 1))


def loss(model, step, generator):
    return model(torch.ones(1, 2)).square().mean()


def train(records, *, seed=0, profile="quick"):
    settings = training.Settings(steps=3, learning_rate=0.1, seed=seed)
    model = records.new("small", profile)
    options = {"profile": profile, "device": "cpu", "card": {"size": 2}, "progress": False}
    return records.train("small", model, loss, settings=settings, **options)


def test_a_training_is_found_by_its_profile_and_seed(records, tmp_path, capsys):
    assert train(records, seed=3).finished
    train(records, profile="paper")
    assert "small seed 3: step 3, 0 s, finished" in capsys.readouterr().out
    assert (tmp_path / "checkpoints/case/small-seed3.safetensors").is_file()
    assert (tmp_path / "checkpoints/case/paper/small-seed0.safetensors").is_file()
    assert records.seeds("small") == [3]
    assert records.seeds("small", profile="paper") == [0]
    _, card = records.load("small", seed=3)
    assert card["name"] == "small"
    assert card["profile"] == "quick"
    assert card["size"] == 2


def test_loading_leaves_the_random_numbers_alone(records):
    train(records)
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    records.load("small")
    assert torch.equal(torch.rand(1), expected)


def test_a_model_is_measured_once_and_again_when_its_weights_change(records, capsys):
    def measure(name, *, seed, profile, device):
        measured.append((name, seed, profile, device))
        return header(name, seed, profile, records.load(name, seed=seed)[1])

    def record(minutes=None):
        options = {"profile": "quick", "minutes": minutes, "device": "cpu"}
        return records.record(["small", "absent"], measure, describe=describe, **options)

    def describe(record):
        return f"{record['parameters']} weights"

    measured = []
    train(records)
    assert record() and record()
    assert measured == [("small", 0, "quick", "cpu")]
    assert "small seed 0: 3 weights" in capsys.readouterr().out
    (report,) = records.reports("small")
    card = checkpoints.read_card(records.stem("small", seed=0))
    assert report == {
        "name": "small",
        "seed": 0,
        "profile": "quick",
        "sha256": card["sha256"],
        "parameters": 3,
        "train_seconds": card["seconds"],
    }

    report["sha256"] = "of other weights"
    records.record_path("small", seed=0).write_text(json.dumps(report))
    assert not record(minutes=0)  # the time is over before the first evaluation
    assert "the same command continues" in capsys.readouterr().out
    assert record() and len(measured) == 2


def test_numbers_are_rounded_as_a_record_holds_them():
    assert rounded(torch.tensor([1 / 3, 2.0])) == [0.33333, 2.0]
    assert rounded([1 / 3], 2) == [0.33]


def test_a_timed_call_returns_its_result():
    seconds, result = timed(lambda: 3)
    assert result == 3 and seconds >= 0
