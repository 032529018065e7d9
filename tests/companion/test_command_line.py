"""The command line: what it refuses before anything starts, and its exit codes."""

import json
import sys
import types

import papermill
import pytest
import yaml
from equilibria.companion.command_line import main


@pytest.fixture
def no_kernel(monkeypatch):
    """A papermill that must not be reached."""

    def started(*arguments, **settings):
        raise AssertionError("papermill was called")

    monkeypatch.setattr(papermill, "execute_notebook", started)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["01", "-p", "eta=2"], "eta = 2.0: must be below 1"),
        (["01", "-p", "steps=0"], "steps = 0: must be at least 1"),
        (["01", "-p", "sizes=[-4]"], "entry -4 must be at least 1"),
        (["01", "-p", "steps=three"], "steps = 'three': must be of type int"),
        (["01", "-p", "steps=1e3"], "must be of type int, not float"),
        (["01", "-p", "stepps=3"], "no parameter 'stepps', did you mean 'steps'"),
        (["01", "--profile", "paper", "-p", "sed=1"], "did you mean 'seed'"),
        (["01", "-p", "profile=paper"], "choose the profile with --profile"),
        (["7"], "no notebook '7'; there are 01_first, 02_second"),
    ],
)
def test_a_bad_parameter_is_refused_before_a_kernel_starts(
    sample, no_kernel, capsys, words, message
):
    assert main(["notebook", *words]) == 2
    assert message in capsys.readouterr().err
    assert not (sample.root / "build").exists() and not (sample.root / "figures").exists()


def test_good_parameters_reach_papermill(sample, no_kernel):
    with pytest.raises(AssertionError, match="papermill was called"):
        main(
            [
                "notebook",
                "01",
                "-p",
                "eta=0.9",
                "-p",
                "verbose=true",
                "-p",
                "sizes=[1, 2]",
                "-p",
                "mode=exact",
            ]
        )


@pytest.mark.parametrize(
    "words",
    [
        ["notebook"],
        ["notebook", "01", "-p", "eta"],
        ["notebook", "01", "--profile", "medium"],
        ["notebook", "01", "--cell-seconds", "0"],
        ["train", "a/b", "--minutes", "-1"],
        ["train", "a/b", "--minutes", "nan"],
        ["train", "a/b", "--seed", "-1"],
        ["train", "a/b", "--seed", "1.5"],
        ["train", "a/b", "--minute", "1"],
        ["check", "--profile", "x"],
        [],
        ["unknown"],
    ],
)
def test_a_bad_command_line_is_refused(words):
    with pytest.raises(SystemExit) as refused:
        main(words)
    assert refused.value.code == 2


def test_train_finds_the_experiment_and_hands_over_the_options(monkeypatch, tmp_path, capsys):
    seen = []
    case = types.ModuleType("equilibria.studies.sample")
    case.names = lambda profile: ["small"] if profile == "quick" else []
    case.train = lambda name, **options: seen.append((name, options))
    (tmp_path / "sample.py").write_text("")
    experiments = types.ModuleType("equilibria.studies")
    experiments.__path__ = [str(tmp_path)]
    import equilibria

    monkeypatch.setattr(equilibria, "studies", experiments, raising=False)
    monkeypatch.setitem(sys.modules, "equilibria.studies", experiments)
    monkeypatch.setitem(sys.modules, "equilibria.studies.sample", case)
    assert main(["train", "sample/small", "--seed", "3", "--minutes", "0.5"]) == 0
    assert seen == [("small", {"profile": "quick", "seed": 3, "minutes": 0.5})]
    for name, message in (
        ("sample/large", "there are sample/small"),
        ("sample", "there are sample/small"),
        ("other/small", "there are sample/..."),
    ):
        assert main(["train", name]) == 2
        assert message in capsys.readouterr().err
    assert main(["train", "sample/small", "--profile", "paper"]) == 2 and len(seen) == 1


@pytest.mark.parametrize("value, code", [(0.1, 0), (0.3, 1)])
def test_check_exits_by_the_verdicts_and_writes_the_table(sample, capsys, value, code):
    (sample.root / "claims.yml").write_text(
        yaml.safe_dump(
            [
                {
                    "id": "a",
                    "notebook": "01_first",
                    "paper": "Table 1",
                    "claim": "Error",
                    "key": "error",
                    "predicate": {"at_most": 0.2},
                }
            ]
        )
    )
    folder = sample.root / "figures/quick/01_first"
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps({"error": value}))
    (folder / "provenance.json").write_text("{}")
    assert main(["check", "--draft"]) == code and main(["check", "--only", "01"]) == code
    assert not (sample.root / "figures/quick/README.md").exists()
    assert (
        main(["check", "--only", "02"]) == 0
        and main(["check", "--profile", "paper", "--draft"]) == 1
    )
    capsys.readouterr()
    assert main(["check"]) == code
    assert ("1 hold" if code == 0 else "1 fail") in capsys.readouterr().out
    assert (sample.root / "figures/quick/README.md").exists()


def test_a_wrong_claim_row_is_a_bad_request(sample, capsys):
    (sample.root / "claims.yml").write_text("- {id: a}\n")
    assert main(["check"]) == 2 and "a: no 'notebook'" in capsys.readouterr().err
