"""`equilibria evaluate`: one case or all, within a time limit."""

import pytest
from equilibria.companion.command_line import main


@pytest.mark.parametrize("words", [[], ["sample"]])
def test_all_cases_or_one_are_evaluated(study, capsys, words):
    assert main(["evaluate", *words]) == 0
    assert study.evaluated == [{"profile": "quick", "minutes": None, "device": "cpu"}]
    assert study.trained == []
    assert "sample: all records are there" in capsys.readouterr().out


def test_the_options_reach_the_case(study, capsys):
    study.complete = False
    words = ["evaluate", "sample", "--profile", "paper", "--minutes", "2", "--device", "cpu"]
    assert main(words) == 0
    (options,) = study.evaluated
    assert 1.9 < options["minutes"] <= 2
    assert options["profile"] == "paper" and options["device"] == "cpu"
    assert "all records are there" not in capsys.readouterr().out


def test_a_case_without_records_says_so_in_one_line(study, capsys, monkeypatch):
    monkeypatch.delattr(type(study), "evaluate_all")
    assert main(["evaluate"]) == 0
    assert capsys.readouterr().out == "sample: this case keeps no records\n"


def test_an_unknown_case_is_refused(study, capsys):
    assert main(["evaluate", "other"]) == 2
    assert "no case 'other'; there are sample" in capsys.readouterr().err
