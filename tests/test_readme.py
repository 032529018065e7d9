"""What the README tells a new user to do works as it stands."""

import re
import shlex

import torch
from conftest import HOME
from equilibria.companion import claims
from equilibria.companion.claims import pages
from equilibria.companion.claims.model import SUMMARY_ROWS
from equilibria.companion.command_line import make_parser

README = (HOME / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands():
    for block in blocks("bash"):
        for line in block.splitlines():
            if line.strip():
                yield shlex.split(line, comments=True)


def test_the_operator_of_ten_lines_runs(capsys):
    (code,) = blocks("python")
    torch.manual_seed(0)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    solution, G, x = names["solution"], names["G"], names["x"]
    assert bool(solution.success.all())
    assert torch.allclose(G(solution.y, x), solution.y, atol=1e-4)
    assert G.W.grad.abs().max() > 0
    assert capsys.readouterr().out.startswith("regular on 32 samples")


def test_commands_are_understood():
    makefile = (HOME / "Makefile").read_text()
    programs = set()
    for program, *words in commands():
        programs.add(program.removeprefix(".venv/bin/"))
        if program.endswith("equilibria"):
            make_parser().parse_args(words)
        if program == "make":
            assert re.search(rf"^{words[0]}:", makefile, re.MULTILINE)
    assert programs == {"make", "jupyter", "equilibria"}


def test_it_is_short_and_its_first_screen_says_where_to_start():
    lines = README.splitlines()
    assert len(lines) < 120
    first = "\n".join(lines[:15])
    for part in ("together.webp", "make reproduce", "make test", "notebook 00"):
        assert part in first


def test_every_file_that_the_readme_names_is_there():
    linked = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README)
    assert any(name.endswith(".webp") for name in linked)
    for name in linked + re.findall(r"notebooks/\S+\.ipynb", README):
        assert (HOME / name).exists(), name


def test_the_verdicts_are_those_of_the_quick_profile():
    """The generated block has a row for each claim with a short form: nobody edited it."""
    table = README.partition(pages.BEGIN)[2].partition(pages.END)[0]
    rows = re.findall(r"^\| (.*?) +\| ", table, re.MULTILINE)[1:]
    assert rows == [claim.summary for claim in claims.load() if claim.summary]
    assert len(rows) <= SUMMARY_ROWS and "± -" not in table
