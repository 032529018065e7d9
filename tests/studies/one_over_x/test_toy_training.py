"""A training writes what is loaded, repeats bit by bit, and bad files and names are named."""

import json

import pytest
from equilibria import checkpoints
from equilibria.studies import one_over_x as case
from equilibria.studies.one_over_x import toy_training


@pytest.fixture
def short_trainings(tmp_path, monkeypatch):
    """Trainings of two steps, and a data folder of their own."""
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    monkeypatch.setattr(toy_training, "STEPS", {"explicit": 2, "implicit": 2})
    monkeypatch.setattr(toy_training, "FREE_ITERATIONS", (0, 1))
    monkeypatch.setattr(toy_training, "GRADED_ITERATIONS", 2)
    return tmp_path / "checkpoints/one_over_x"


def test_an_implicit_training_writes_what_is_loaded_and_repeats_bit_by_bit(short_trainings):
    assert case.train("implicit-5", seed=1).finished
    model, card = case.load("implicit-5", seed=1)
    assert card["name"] == "implicit-5"
    assert model.bounds()[1] <= 5
    case.train("implicit-5", seed=1)
    again = checkpoints.read_card(short_trainings / "implicit-5-seed1")
    assert again["sha256"] == card["sha256"]
    with pytest.raises(checkpoints.CheckpointError, match="implicit-10"):
        case.load("implicit-10", seed=1)


def test_an_explicit_training_writes_its_measurements(short_trainings):
    assert case.train("explicit-5", seed=1).finished
    assert case.explicit_results("explicit-5", seed=1)["steepest"][0] <= 5 * (1 + 1e-6)
    (short_trainings / "explicit-5-seed1.json").write_text(json.dumps({"name": "foreign"}))
    with pytest.raises(checkpoints.CheckpointError, match="explicit-5 --seed 1"):
        case.explicit_results("explicit-5", seed=1)


def test_an_unknown_name_is_refused(short_trainings):
    with pytest.raises(ValueError, match="implicit-7"):
        case.train("implicit-7")
