"""`equilibria train`: it finds the model and hands over the options."""

import pytest
from equilibria import checkpoints
from equilibria.companion.command_line import main
from torch import nn


def test_the_options_reach_the_case(study):
    words = ["train", "sample/small", "--seed", "3", "--minutes", "0.5", "--device", "cpu"]
    assert main(words) == 0
    options = {"profile": "quick", "seed": 3, "minutes": 0.5, "device": "cpu"}
    assert study.trained == [("small", options)]
    assert study.evaluated == []


def test_the_case_chooses_the_device_that_was_not_given(study):
    assert main(["train", "sample/large"]) == 0
    options = {"profile": "quick", "seed": 0, "minutes": None, "device": None}
    assert study.trained == [("large", options)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sample/huge"], "there are sample/small, sample/large"),
        (["sample"], "there are sample/small, sample/large"),
        (["other/small"], "there are sample/..."),
        (["sample/small", "--profile", "paper"], "in profile paper; there are none"),
        (["sample/small", "--device", "cuda"], "--device cuda: PyTorch sees no such device"),
    ],
)
def test_what_cannot_be_trained_is_refused(study, capsys, words, message):
    assert main(["train", *words]) == 2
    assert message in capsys.readouterr().err
    assert study.trained == []


def test_a_finished_training_says_so_and_an_unfinished_one_goes_on(study, capsys, tmp_path):
    stem = study.RECORDS.stem("small", seed=3)
    checkpoints.save(stem, nn.Linear(1, 1), {"seconds": 1})
    assert main(["train", "sample/small", "--seed", "3"]) == 0
    assert capsys.readouterr().out == (
        f"sample/small seed 3: finished; to train it anew, delete {stem}.*\n"
    )
    assert study.trained == []
    state = tmp_path / "data/trainings/sample/quick/small-seed3.state.safetensors"
    state.parent.mkdir(parents=True)
    state.touch()
    assert main(["train", "sample/small", "--seed", "3"]) == 0
    assert main(["train", "sample/small", "--seed", "4"]) == 0
    assert [options["seed"] for _, options in study.trained] == [3, 4]
