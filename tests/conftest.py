"""What every test needs: one thread, no window, and a small project of its own to run."""

# The libraries read these variables when they are imported, so the imports come second.
# ruff: noqa: E402
import os

os.environ["MPLBACKEND"] = "Agg"
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

from pathlib import Path

import nbformat
import pytest
import torch
import yaml

torch.set_num_threads(1)
HOME = Path(__file__).parents[1]
SCHEMA = {
    "eta": {"type": "float", "above": 0, "below": 1},
    "steps": {"type": "int", "min": 1},
    "verbose": {"type": "bool"},
    "sizes": {"type": "list", "items": {"type": "int", "min": 1}, "min_items": 1},
    "mode": {"type": "str", "choices": ["fast", "exact"]},
}
PARAMETERS = """\
profile = "quick"
seed = 0
device = "cpu"
eta = 0.5  # step
steps = 3
sizes = [1, 2]
mode = "fast"
verbose = False
"""
START = """\
from equilibria.companion import results

parameters = dict(profile=profile, seed=seed, device=device, eta=eta, steps=steps)
parameters |= dict(sizes=sizes, mode=mode, verbose=verbose)
run = results.start({name!r}, parameters)
"""
README = """\
before
<!-- verdicts: written by `equilibria check` -->
<!-- end of verdicts -->
after
"""


class Project:
    """A project of two notebooks in a folder of its own, with this project's rules."""

    def __init__(self, root: Path):
        self.root = root
        (root / "notebooks" / "parameters").mkdir(parents=True)
        (root / "lib").mkdir()
        (root / "notebooks/parameters/quick.yaml").write_text("")
        (root / "notebooks/parameters/paper.yaml").write_text("01_first: {steps: 300}\n")
        schema = yaml.safe_load((HOME / "notebooks/parameters/schema.yaml").read_text())
        blocks = {"common": schema["common"]}
        for name in ("01_first", "02_second", "03_third"):
            blocks[name] = SCHEMA
        (root / "notebooks/parameters/schema.yaml").write_text(yaml.safe_dump(blocks))
        (root / "requirements.lock").write_text("")
        (root / "claims.yml").write_text("")
        (root / "DEVIATIONS.md").write_text("# Deviations\n\n## First: a known miss\n")
        (root / "README.md").write_text(README)
        self.notebook("01_first", "run.save(value=[eta] * steps)")
        self.notebook("02_second", "run.save(value=[eta] * steps)")

    def notebook(
        self, name: str, body: str, *, parameters: str = PARAMETERS, start: str = START
    ) -> None:
        """Write a notebook with a parameters cell, a start, ``body`` and an end."""
        cells = [
            nbformat.v4.new_markdown_cell("# Title"),
            nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell(start.format(name=name)),
            nbformat.v4.new_markdown_cell("## The experiment"),
            nbformat.v4.new_code_cell(body),
            nbformat.v4.new_code_cell("run.finish()"),
        ]
        for index, cell in enumerate(cells):
            cell["id"] = f"cell-{index}"
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, self.root / "notebooks" / f"{name}.ipynb")


@pytest.fixture
def sample(tmp_path, monkeypatch) -> Project:
    """The small project, which this process takes for the project."""
    monkeypatch.setenv("EQUILIBRIA_ROOT", str(tmp_path))
    monkeypatch.delenv("EQUILIBRIA_FIGURES", raising=False)
    monkeypatch.delenv("EQUILIBRIA_DATA", raising=False)
    return Project(tmp_path)
