"""What every test needs: one thread, no window, and a small project of its own to run."""

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
PARAMETERS = 'profile = "quick"\nseed = 0\ndevice = "cpu"\neta = 0.5  # step\nsteps = 3\nsizes = [1, 2]\nmode = "fast"\nverbose = False\n'
START = (
    "from equilibria.companion import results\nrun = results.start({name!r}, dict(profile=profile, seed=seed, device=device, eta=eta, steps=steps, "
    "sizes=sizes, mode=mode, verbose=verbose))"
)


class Project:
    """A project of two notebooks in a folder of its own, with this project's rules."""

    def __init__(self, root: Path):
        self.root = root
        (root / "notebooks" / "parameters").mkdir(parents=True)
        (root / "lib").mkdir()
        (root / "notebooks/parameters/quick.yaml").write_text("")
        (root / "notebooks/parameters/paper.yaml").write_text("01_first: {steps: 300}\n")
        common = yaml.safe_load((HOME / "notebooks/parameters/schema.yaml").read_text())["common"]
        (root / "notebooks/parameters/schema.yaml").write_text(
            yaml.safe_dump({"common": common, "01_first": SCHEMA, "02_second": SCHEMA})
        )
        (root / "requirements.lock").write_text("")
        (root / "claims.yml").write_text("")
        (root / "DEVIATIONS.md").write_text("# Deviations\n\n## First: a known miss\n")
        (root / "README.md").write_text(
            "before\n<!-- verdicts: written by `equilibria check` -->\n<!-- end of verdicts -->\nafter\n"
        )
        self.notebook("01_first", "run.save(value=[eta] * steps)")
        self.notebook("02_second", "run.save(value=[eta] * steps)")

    def notebook(self, name: str, body: str, parameters: str = PARAMETERS) -> None:
        """Write a notebook with a parameters cell, a start, ``body`` and an end."""
        code, text = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
        cells = [
            text("# Title"),
            code(parameters, metadata={"tags": ["parameters"]}),
            code(START.format(name=name)),
            text("## The experiment"),
            code(body),
            code("run.finish()"),
        ]
        for index, cell in enumerate(cells):
            cell["id"] = f"cell-{index}"
        kernel = {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        }
        nbformat.write(
            nbformat.v4.new_notebook(cells=cells, metadata=kernel),
            self.root / "notebooks" / f"{name}.ipynb",
        )


@pytest.fixture
def sample(tmp_path, monkeypatch) -> Project:
    """The small project, and this process believing that it is the project."""
    monkeypatch.setenv("EQUILIBRIA_ROOT", str(tmp_path))
    monkeypatch.delenv("EQUILIBRIA_FIGURES", raising=False)
    monkeypatch.delenv("EQUILIBRIA_DATA", raising=False)
    return Project(tmp_path)
