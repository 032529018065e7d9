"""Run one notebook without a browser: parameters checked first, then papermill, then the executed copy in one step.

The kernel talks over sockets in a folder of its own (ipc), so that any number of notebooks can start at once and none can take
another's port. A copy appears under its final name only when the last cell has run; one that failed ends in ``.failed.ipynb``.
"""

import os
import re
import tempfile
import time
from pathlib import Path

import papermill
from jupyter_client import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.engines import NBClientEngine, papermill_engines

from equilibria.companion.parameters import check, find_notebook, settings
from equilibria.companion.results import custom_name
from equilibria.paths import project_root

__all__ = ["CELL_SECONDS", "NotebookFailed", "run"]

CELL_SECONDS = {"quick": 900, "paper": 6 * 3600}  # a cell that takes longer hangs
_START_SECONDS = 180


class NotebookFailed(RuntimeError):
    """A notebook stopped before its end; the message says where, why, and which copy shows it."""


def run(
    name: str,
    *,
    profile: str = "quick",
    overrides: dict | None = None,
    output: Path | None = None,
    cell_seconds: float | None = None,
) -> Path:
    """Execute a notebook with a profile's parameters and some of them overridden; return the executed copy.

    ``output`` is the folder for the copy, by default ``build/<profile>`` (``build/custom`` where a parameter was changed).
    Raises ``ParameterError`` before any kernel starts, ``NotebookFailed`` when a cell fails, hangs or kills its kernel.
    """
    path = find_notebook(name)
    values = settings(path.stem, profile) | (overrides or {})
    check(path.stem, values)
    custom = custom_name(path.stem, values)
    folder = (output or project_root() / "build" / ("custom" if custom else profile)).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{custom or path.stem}.ipynb"
    failed, part = target.with_suffix(".failed.ipynb"), folder / f".{target.stem}.partial.ipynb"
    for old in (target, failed):
        old.unlink(missing_ok=True)

    for library in (
        "OMP",
        "OPENBLAS",
        "MKL",
    ):  # one thread each: two notebooks share two cores, and sums keep their order
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    started = time.monotonic()
    _say(
        path.stem,
        started,
        f"started, profile {profile}"
        + (f", {custom.removeprefix(path.stem + '-')}" if custom else ""),
    )
    try:
        with tempfile.TemporaryDirectory(prefix="eq-") as sockets:
            papermill.execute_notebook(
                str(path),
                str(part),
                parameters=values,
                engine_name="equilibria",
                progress_bar=False,
                cwd=str(project_root()),
                start_timeout=_START_SECONDS,
                execution_timeout=cell_seconds or CELL_SECONDS[profile],
                kernel_manager_class=_manager(Path(sockets)),
                announce=lambda text: _say(path.stem, started, text),
            )
    except (papermill.PapermillExecutionError, CellTimeoutError, DeadKernelError) as error:
        part.replace(failed)
        _say(path.stem, started, "failed")
        raise NotebookFailed(f"{path.name} stopped: {_reason(error)}\nsee {failed}") from error
    part.replace(target)
    _say(
        path.stem,
        started,
        f"finished, {target.relative_to(project_root()) if target.is_relative_to(project_root()) else target}",
    )
    return target


class _Engine(NBClientEngine):
    """papermill's engine, telling ``announce`` about each headed cell that it comes to."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, *, announce, **settings):
        cell_start = nb_man.cell_start

        def announced(cell, *position, **keywords):
            heading = re.match(r"#+ +(.+)", cell.source) if cell.cell_type == "markdown" else None
            if heading:
                announce(heading[1].strip())
            return cell_start(cell, *position, **keywords)

        nb_man.cell_start = announced
        return super().execute_managed_notebook(nb_man, kernel_name, **settings)


papermill_engines.register("equilibria", _Engine)


def _manager(folder: Path) -> type:
    """A kernel manager class whose sockets are files in ``folder``: no ports, no races for them."""

    class IpcKernelManager(AsyncKernelManager):
        def __init__(self, **settings):
            super().__init__(
                transport="ipc", connection_file=str(folder / "kernel.json"), **settings
            )

    return IpcKernelManager


def _reason(error: Exception) -> str:
    if not isinstance(error, papermill.PapermillExecutionError):
        return str(error).strip().splitlines()[0]
    trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback)).splitlines()
    return f"{error.ename}: {error.evalue}\n" + "\n".join(f"    {line}" for line in trace[-12:])


def _say(notebook: str, started: float, text: str) -> None:
    print(f"{notebook:<20} {time.monotonic() - started:5.0f} s  {text}", flush=True)
