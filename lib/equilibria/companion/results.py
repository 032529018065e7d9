"""Compute, save, then draw: the results of a notebook's run, and the folder that they go to.

run = results.start("01_one_over_x", parameters)  checks the parameters, seeds everything, chooses
                                                  the folder
run.save(error=errors)                            results.json: sorted, exact, the same bytes in
                                                  every run; each call adds to the file
run.timings(solve=seconds)                        timings.json: measured seconds, which may differ
                                                  between runs
run.finish()                                      provenance.json: profile, seed, versions, device,
                                                  commit, lock, weights, wall time

A folder without provenance.json is an unfinished run, and ``equilibria check`` refuses it, as it
does one of another lock or of other weights. A run
whose parameters differ from its profile's goes to ``figures/custom/``, so that it never overwrites
the files by which the profile is judged.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import random
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
import torch

from equilibria.companion.parameters import (
    ParameterError,
    check,
    check_injected,
    custom_name,
    declared,
    find_notebook,
)
from equilibria.companion.provenance import (
    device_name,
    origin,
    short_path,
    source_commit,
    versions,
)
from equilibria.files import write_atomically
from equilibria.paths import figures_folder

__all__ = ["Run", "start"]


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of one notebook.

    notebook    its name, such as 01_one_over_x
    parameters  the values of all of its parameters
    folder      where its results and figures go
    started     time.perf_counter() at the start
    saved       what `save` has written so far, by the name of the file
    """

    notebook: str
    parameters: dict[str, Any]
    folder: Path
    started: float
    saved: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def profile(self) -> str:
        """The profile that figures are labelled with: ``custom`` where a parameter was changed."""
        return self.folder.parent.name

    def save(self, name: str = "results", **values: Any) -> Path:
        """Add ``values`` to ``<name>.json``: numbers, text, lists, dicts, arrays, tensors.

        Raises ValueError that names the entry for NaN or infinity (give None where there is nothing
        to report), for whole numbers that no float can hold and for deep nesting, and TypeError for
        anything else that JSON cannot hold. The file is then left as it was.
        """
        entries = self.saved.setdefault(name, {})
        try:
            entries |= {key: _plain(value, key) for key, value in values.items()}
        except RecursionError:
            raise ValueError(f"{', '.join(values)}: too deeply nested for a result") from None
        text = json.dumps(entries, sort_keys=True, indent=1, allow_nan=False)
        return write_atomically(self.folder / f"{name}.json", text + "\n")

    def table(self, name: str, rows: list[dict[str, Any]]) -> Path:
        """Write ``rows`` to ``<name>.csv``.

        Raises ValueError where there is no row, or where rows differ in their columns.
        """
        if not rows or any(list(row) != list(rows[0]) for row in rows):
            raise ValueError(
                f"table {name!r} needs at least one row, and the same columns in every row"
            )
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({key: _plain(value, f"{name}.{key}") for key, value in row.items()})
        return write_atomically(self.folder / f"{name}.csv", text.getvalue())

    def timings(self, **seconds: Any) -> Path:
        """Add measured seconds to ``timings.json``, which may differ between two runs."""
        return self.save("timings", **seconds)

    def load(self, name: str = "results") -> dict[str, Any]:
        """What `save` wrote: a figure is drawn from this and from nothing else."""
        entries: dict[str, Any] = json.loads(
            (self.folder / f"{name}.json").read_text(encoding="utf-8")
        )
        return entries

    def finish(self) -> Path:
        """Mark the run as complete by writing ``provenance.json``."""
        wall_time = time.perf_counter() - self.started
        path = self.save(
            "provenance",
            **origin(self.notebook, self.profile),
            parameters=self.parameters,
            seed=self.parameters["seed"],
            device=device_name(self.parameters["device"]),
            versions=versions(),
            commit=source_commit(),
            wall_time=round(wall_time, 1),
        )
        folder = short_path(self.folder)
        print(f"{self.notebook}: finished in {wall_time:.0f} s, results in {folder}")
        return path


def start(notebook: str, parameters: Mapping[str, Any], *, began: float | None = None) -> Run:
    """Begin a run: check the parameters, seed, use one thread, open the folder, print what is set.

    ``parameters`` has every name of the notebook's parameters cell, ``profile``, ``seed`` and
    ``device`` among them. ``began`` is the time.perf_counter() at which the notebook began, by
    default now. Raises ParameterError for a parameter that is missing, unknown or out of
    range, and for a CUDA device that is not there.
    """
    name = find_notebook(notebook).stem
    check_injected(name, _executed_cells())
    check(name, parameters)
    missing = set(declared(name)) - set(parameters)
    if missing:
        raise ParameterError(f"{name}: results.start was not given {', '.join(sorted(missing))}")
    device = parameters["device"]
    if device != "cpu" and not torch.cuda.is_available():
        raise ParameterError(
            f"{name}: device = {device!r}, but PyTorch sees no such device here: use 'cpu'"
        )
    # Two notebooks share two cores, and one thread keeps sums in one order.
    torch.set_num_threads(1)
    _seed_everything(parameters["seed"])

    custom = custom_name(name, parameters)
    if custom is None:
        folder = figures_folder() / parameters["profile"] / name
        remark = ""
    else:
        folder = figures_folder() / "custom" / custom
        remark = " (parameters differ from the profile's)"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "provenance.json").unlink(missing_ok=True)
    print(f"{name}: " + ", ".join(f"{key} = {value!r}" for key, value in parameters.items()))
    print(f"results go to {short_path(folder)}{remark}")
    return Run(name, dict(parameters), folder, time.perf_counter() if began is None else began)


def _executed_cells() -> list[str]:
    """What the kernel has executed so far; nothing outside of one."""
    if "IPython" not in sys.modules:
        return []
    shell = sys.modules["IPython"].get_ipython()
    return [] if shell is None else list(shell.user_ns.get("In", []))


def _seed_everything(seed: int) -> None:
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


def _plain(value: Any, where: str) -> Any:
    """``value`` as JSON holds it; ``where`` names it in an error."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, numpy.ndarray | numpy.generic):
        value = _plain_array(value)
    if isinstance(value, dict):
        return {str(key): _plain(entry, f"{where}.{key}") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry, f"{where}.{index}") for index, entry in enumerate(value)]
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        raise ValueError(f"{where} is a whole number beyond the largest float")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(
            f"{where} is {value}: a failed number must not reach a result; "
            "give None where there is nothing to report"
        )
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"{where} is a {type(value).__name__}: save numbers, text, lists, dicts, arrays or tensors"
    )


def _plain_array(array: numpy.ndarray[Any, Any] | numpy.generic) -> Any:
    """An array as nested lists.

    A float32 keeps its own shortest digits (0.1), not those of the float64 beside it
    (0.10000000149011612).
    """
    if array.dtype == numpy.float32:
        numbers = [float(str(number)) for number in array.flat]
        array = numpy.array(numbers).reshape(array.shape)
    return array.tolist()
