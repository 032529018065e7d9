"""The command line as a whole: help, refused command lines, exit codes."""

import shlex
import sys

import pytest
from equilibria.__main__ import main as program
from equilibria.checkpoints import CheckpointError
from equilibria.companion.command_line import main, make_parser
from equilibria.files import DataError

VERBS = ("train", "evaluate", "notebook", "check", "list", "animate")


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_examples_that_the_parser_accepts(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    _, _, examples = capsys.readouterr().out.partition("examples:\n")
    lines = [line.strip().partition("     ")[0] for line in examples.splitlines()]
    assert lines
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "equilibria" and words[0] == verb
        make_parser().parse_args(words)


def test_help_of_the_program_names_every_verb(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for verb in VERBS:
        assert f"  equilibria {verb}" in text


@pytest.mark.parametrize(
    "words",
    [
        ["notebook"],
        ["notebook", "01", "-p", "eta"],
        ["notebook", "01", "--profile", "medium"],
        ["notebook", "01", "--cell-seconds", "0"],
        ["train", "a/b", "--minutes", "-1"],
        ["train", "a/b", "--minutes", "nan"],
        ["train", "a/b", "--minutes", "inf"],
        ["train", "a/b", "--seed", "-1"],
        ["train", "a/b", "--seed", "1.5"],
        ["train", "a/b", "--seed", str(10**23)],
        ["train", "a/b", "--seed", str(2**32)],
        ["train", "a/b", "--seed", "9" * 5000],
        ["train", "a/b", "--minute", "1"],
        ["train", "a/b", "--device", "tpu"],
        ["evaluate", "a", "b"],
        ["list", "a"],
        ["check", "--profile", "x"],
        [],
        ["unknown"],
    ],
)
def test_a_bad_command_line_is_refused(words):
    with pytest.raises(SystemExit) as refused:
        main(words)
    assert refused.value.code == 2


@pytest.mark.parametrize("kind", [CheckpointError, DataError])
def test_a_training_without_its_data_is_a_bad_request(study, kind, capsys, monkeypatch):
    def train(name, **options):
        raise kind("the photographs are not there")

    monkeypatch.setattr(study, "train", train)
    assert main(["train", "sample/small"]) == 2
    assert capsys.readouterr().err == "equilibria: the photographs are not there\n"


def test_a_training_that_ctrl_c_stops_says_how_to_go_on(study, capsys, monkeypatch):
    def train(name, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "train", train)
    monkeypatch.setattr(sys, "argv", ["equilibria", "train", "sample/small"])
    assert program() == 130
    said = "equilibria: stopped; the same command goes on from what is saved\n"
    assert capsys.readouterr().err == said


def test_a_folder_that_cannot_be_written_is_one_line(study, capsys, monkeypatch):
    def train(name, **options):
        raise OSError(30, "Read-only file system", "data/trainings")

    monkeypatch.setattr(study, "train", train)
    assert main(["train", "sample/small"]) == 2
    said = "equilibria: [Errno 30] Read-only file system: 'data/trainings'\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    "value", ["9" * 401, "9" * 5000, "[" * 300 + "]" * 300, "1e999", "(" * 100_000, "-" * 5000]
)
def test_absurd_values_of_a_parameter_are_refused_in_lines(sample, value, capsys):
    assert main(["notebook", "01", "-p", f"eta={value}"]) == 2
    assert "01_first: eta = " in capsys.readouterr().err
