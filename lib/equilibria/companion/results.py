"""Compute, save, then draw: the results of a notebook's run, and where they go.

    run = results.start("01_one_over_x", parameters)    checks the parameters, seeds everything, chooses the folder
    run.save(error=errors)                              results.json: sorted, exact, the same bytes in every run; grows with each call
    run.timings(solve=seconds)                          timings.json: measured seconds, free to differ between runs
    run.finish()                                        provenance.json: profile, seed, versions, device, commit, wall time

A folder without provenance.json is an unfinished run, and ``equilibria check`` refuses it. A run whose parameters differ from
its profile's goes to ``figures/custom/``, so that it can never overwrite what the profile is judged by.
"""

import csv
import dataclasses
import hashlib
import importlib.metadata
import io
import json
import math
import platform
import random
import re
import subprocess
import time
from pathlib import Path

import numpy
import torch

from equilibria.companion.parameters import ParameterError, check, declared, find_notebook, settings
from equilibria.files import write_atomically as write
from equilibria.paths import figures_folder, project_root

__all__ = ["Run", "custom_name", "start"]


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of one notebook: its parameters and the folder that its results and figures go to."""

    notebook: str
    parameters: dict
    folder: Path
    started: float
    saved: dict[str, dict] = dataclasses.field(
        default_factory=dict, repr=False
    )  # what ``save`` wrote so far, by file

    @property
    def profile(self) -> str:
        """The profile that the figures of this run are labelled with: ``custom`` where a parameter was changed."""
        return self.folder.parent.name

    def save(self, name: str = "results", **values) -> Path:
        """Write ``values`` to ``<name>.json``, beside what this run saved there before: numbers, text, lists, dicts, arrays, tensors.

        Raises ``ValueError`` naming the entry for NaN or infinity (give None where there is nothing to report) and
        ``TypeError`` for anything else that JSON cannot hold.
        """
        held = self.saved.setdefault(name, {})
        held |= {key: _plain(value, key) for key, value in values.items()}
        text = json.dumps(held, sort_keys=True, indent=1, allow_nan=False)
        return write(self.folder / f"{name}.json", text + "\n")

    def table(self, name: str, rows: list[dict]) -> Path:
        """Write ``rows``, all with the same keys, to ``<name>.csv``. Raises ``ValueError`` for rows that differ or are missing."""
        if not rows or any(list(row) != list(rows[0]) for row in rows):
            raise ValueError(
                f"table {name!r}: needs at least one row, all with the same columns in the same order"
            )
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {key: _plain(value, f"{name}.{key}") for key, value in row.items()} for row in rows
        )
        return write(self.folder / f"{name}.csv", text.getvalue())

    def timings(self, **seconds) -> Path:
        """Write measured seconds to ``timings.json``, the one result that may differ between two runs."""
        return self.save("timings", **seconds)

    def load(self, name: str = "results") -> dict:
        """What ``save`` wrote: a figure is drawn from this and from nothing else."""
        return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))

    def finish(self) -> Path:
        """Mark the run as complete: ``provenance.json``."""
        wall_time = time.perf_counter() - self.started
        path = self.save(
            "provenance",
            notebook=self.notebook,
            profile=self.profile,
            parameters=self.parameters,
            seed=self.parameters["seed"],
            device=_device_name(self.parameters["device"]),
            versions=_versions(),
            commit=_commit(),
            wall_time=round(wall_time, 1),
        )
        print(f"{self.notebook}: finished in {wall_time:.0f} s, results in {_short(self.folder)}")
        return path


def start(notebook: str, parameters: dict) -> Run:
    """Begin a run: refuse bad parameters, seed, use one thread, choose and open the folder, print the settings.

    ``parameters`` names every parameter of the notebook's parameters cell, ``profile``, ``seed`` and ``device`` among
    them. Raises ``ParameterError`` for a missing, unknown or impossible one, also for a CUDA device that is not there.
    """
    name = find_notebook(notebook).stem
    check(name, parameters)
    missing = set(declared(name)) - set(parameters)
    if missing:
        raise ParameterError(f"{name}: results.start was not given {', '.join(sorted(missing))}")
    if parameters["device"] != "cpu" and not torch.cuda.is_available():
        raise ParameterError(
            f"{name}: device = {parameters['device']!r}, but PyTorch sees no such device here: use 'cpu'"
        )
    torch.set_num_threads(
        1
    )  # two notebooks share two cores, and one thread keeps sums in one order
    random.seed(parameters["seed"])
    numpy.random.seed(parameters["seed"])
    torch.manual_seed(parameters["seed"])

    custom = custom_name(name, parameters)
    folder = figures_folder() / ("custom" if custom else parameters["profile"]) / (custom or name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "provenance.json").unlink(missing_ok=True)
    print(f"{name}: " + ", ".join(f"{key} = {value!r}" for key, value in parameters.items()))
    print(
        f"results go to {_short(folder)}"
        + (" (parameters differ from the profile's)" if custom else "")
    )
    return Run(name, dict(parameters), folder, time.perf_counter())


def custom_name(notebook: str, parameters: dict) -> str | None:
    """None where the parameters are exactly the profile's; else ``<notebook>-<name=value>...``, a name for their folder."""
    usual = settings(notebook, parameters["profile"])
    changed = [f"{key}={value}" for key, value in parameters.items() if value != usual[key]]
    if not changed:
        return None
    text = re.sub(r"[^A-Za-z0-9=.+-]+", "_", "-".join(changed))
    if len(text) > 80:
        text = text[:70] + "-" + hashlib.sha256("-".join(changed).encode()).hexdigest()[:8]
    return f"{notebook}-{parameters['profile']}-{text}"


def _plain(value, where: str):
    """``value`` as JSON holds it; a float32 keeps its own shortest digits (0.1), not those of the float64 beside it."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, numpy.ndarray | numpy.generic):
        if value.dtype == numpy.float32:
            value = numpy.array([float(str(number)) for number in value.flat]).reshape(value.shape)
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(entry, f"{where}.{key}") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry, f"{where}.{index}") for index, entry in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(
            f"{where} is {value}: a failed solve must not reach a result; save None where there is no number"
        )
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"{where} is a {type(value).__name__}: save numbers, text, lists, dicts, arrays or tensors"
    )


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device != "cpu" else f"cpu ({platform.machine()})"


def _versions() -> dict:
    found = {"python": platform.python_version(), "torch": torch.__version__}
    for package in ("equilibria", "numpy", "scipy", "torch-geometric", "matplotlib"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def _commit() -> str | None:
    """The commit of the source, with ``+changes`` where the source differs from it; None outside of a repository."""

    def git(*words):
        return subprocess.run(
            ["git", "-C", str(project_root()), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + (
            "+changes" if git("status", "--porcelain", "--", "lib", "notebooks") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return None


def _short(folder: Path) -> Path:
    return folder.relative_to(project_root()) if folder.is_relative_to(project_root()) else folder
