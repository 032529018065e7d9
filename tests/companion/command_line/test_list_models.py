"""`equilibria list`: names, sizes, what is shipped, trained seeds, commands."""

import pytest
import torch
from equilibria import checkpoints
from equilibria.companion.command_line import list_models, main
from equilibria.companion.command_line.cases import case_names, find_case
from torch import nn


def rows(capsys):
    lines = capsys.readouterr().out.splitlines()
    return [line.split(maxsplit=5) for line in lines[2:]]


def test_what_can_be_trained_is_listed(study, capsys):
    for seed in (0, 2):
        model = nn.Linear(1, 1)
        checkpoints.save(study.RECORDS.stem("small", seed=seed), model, {"seconds": 1})
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    header, _, small, large = [line.rstrip() for line in text.splitlines()]
    assert header.split() == ["model", "profile", "weights", "shipped", "seeds", "command"]
    assert " ".join(small.split()) == "sample/small quick 2 yes 0, 2 equilibria train sample/small"
    assert " ".join(large.split()) == "sample/large quick 1.0 M no - equilibria train sample/large"


def test_large_models_are_counted_without_being_made(study, capsys, monkeypatch):
    def new(name, *, profile, seed):
        return nn.Linear(10**6, 10**6)  # 4 TB

    monkeypatch.setattr(study, "names", lambda profile: ["huge"])
    monkeypatch.setattr(study, "new", new)
    assert main(["list", "--profile", "paper"]) == 0
    text = capsys.readouterr().out
    assert "1000001.0 M" in text
    assert "equilibria train sample/huge --profile paper" in text


@pytest.mark.parametrize(("profile", "size"), [("quick", "2"), ("paper", "not computed")])
def test_a_model_that_computes_as_it_is_made(study, capsys, monkeypatch, profile, size):
    def new(name, *, profile, seed):
        torch.ones(1).item()  # which the meta device cannot do
        return nn.Linear(1, 1)

    monkeypatch.setattr(study, "names", lambda profile: ["small"])
    monkeypatch.setattr(study, "new", new)
    assert main(["list", "--profile", profile]) == 0
    assert f" {size} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("count", "text"),
    [(987, "987"), (12_345, "12.3 k"), (1_000_000, "1.0 M"), (2_376_449, "2.4 M")],
)
def test_sizes_are_short(count, text):
    assert list_models.size_text(count) == text


@pytest.mark.parametrize("profile", ["quick", "paper"])
def test_every_case_of_this_project_is_listed(capsys, profile):
    """The real studies, and no other module, are cases: each declares what the verbs call."""
    assert case_names() == [
        "deblurring",
        "language",
        "linear_programs",
        "navier_stokes",
        "one_over_x",
        "stories",
    ]
    for name in case_names():
        case = find_case(name)
        for declared in ("names", "new", "train", "RECORDS"):
            assert hasattr(case, declared), f"{name} does not declare {declared}"
    assert main(["list", "--profile", profile]) == 0
    listed = capsys.readouterr().out
    for name in case_names():
        assert f"{name}/" in listed
