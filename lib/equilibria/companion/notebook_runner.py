"""Execute one notebook without a browser, by papermill, and keep the executed copy.

The parameters are checked before a kernel starts. The kernel talks over sockets in a folder of its
own (ipc), so that any number of notebooks can start at once and none takes another's port. A copy
appears under its final name only when the last cell has run; one that failed ends in
``.failed.ipynb``.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import papermill  # type: ignore[import-untyped]  # papermill ships no types
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.engines import (  # type: ignore[import-untyped]  # papermill ships no types
    NBClientEngine,
    papermill_engines,
)

from equilibria.companion.parameters import check, custom_name, find_notebook, profile_parameters
from equilibria.companion.provenance import short_path
from equilibria.files import is_running
from equilibria.paths import project_root

__all__ = ["CELL_SECONDS", "NotebookFailed", "run"]

CELL_SECONDS = {"quick": 900, "paper": 6 * 3600}  # a cell that takes longer hangs
START_SECONDS = 180  # a kernel that takes longer to start hangs
LINES_OF_TRACEBACK = 12
ENGINE = "equilibria"
SOCKETS = "eq-"  # how the temporary folders of sockets begin, before the number of the process


class NotebookFailed(RuntimeError):
    """A notebook stopped before its end; the message says where, why, and which copy shows it."""


@dataclass(frozen=True)
class _Progress:
    """Prints how far a notebook is, with the seconds since its start."""

    notebook: str
    started: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        seconds = time.monotonic() - self.started
        print(f"{self.notebook:<20} {seconds:5.0f} s  {text}", flush=True)


def run(
    name: str,
    *,
    profile: str = "quick",
    overrides: Mapping[str, Any] | None = None,
    output: Path | None = None,
    cell_seconds: float | None = None,
) -> Path:
    """Execute a notebook with a profile's parameters; return the path of the executed copy.

    overrides     parameters that are to differ from the profile's
    output        folder for the copy, by default ``build/<profile>``, or ``build/custom`` where a
                  parameter differs
    cell_seconds  time limit of a cell, by default `CELL_SECONDS` of the profile

    Raises ParameterError before any kernel starts, and NotebookFailed where a cell fails, hangs or
    kills its kernel. Ctrl-C ends the kernel and leaves no copy.
    """
    path = find_notebook(name)
    values = profile_parameters(path.stem, profile) | dict(overrides or {})
    check(path.stem, values)
    custom = custom_name(path.stem, values)
    folder = output or project_root() / "build" / (profile if custom is None else "custom")
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{custom or path.stem}.ipynb"
    failed = target.with_suffix(".failed.ipynb")
    part = folder / f".{target.stem}.partial.ipynb"
    target.unlink(missing_ok=True)
    failed.unlink(missing_ok=True)

    # One thread each: two notebooks share two cores, and sums keep their order.
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    progress = _Progress(path.stem)
    changes = f", {custom.removeprefix(path.stem + '-')}" if custom else ""
    progress.say(f"started, profile {profile}{changes}")
    try:
        _sweep_sockets()
        with tempfile.TemporaryDirectory(prefix=f"{SOCKETS}{os.getpid()}-") as sockets:
            papermill.execute_notebook(
                str(path),
                str(part),
                parameters=values,
                engine_name=ENGINE,
                progress_bar=False,
                cwd=str(project_root()),
                start_timeout=START_SECONDS,
                execution_timeout=cell_seconds or CELL_SECONDS[profile],
                kernel_manager_class=_kernel_manager(Path(sockets)),
                # What a run leaves is written by then. Ctrl-C need not wait for compiled code.
                shutdown_kernel="immediate",
                progress=progress,
            )
    except (papermill.PapermillExecutionError, CellTimeoutError, DeadKernelError) as error:
        part.replace(failed)
        progress.say("failed")
        raise NotebookFailed(f"{path.name} stopped: {_reason(error)}\nsee {failed}") from error
    except KeyboardInterrupt:
        part.unlink(missing_ok=True)
        progress.say("stopped")
        raise
    part.replace(target)
    progress.say(f"finished, {short_path(target)}")
    return target


class _Engine(NBClientEngine):
    """papermill's engine, which also says each heading that it comes to."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, progress: _Progress, **options: Any
    ) -> Any:
        """Execute the notebook of ``nb_man``, papermill's record of a run."""
        start_of_cell = nb_man.cell_start

        def say_heading_and_start(cell: Any, *position: Any, **keywords: Any) -> Any:
            heading = re.match(r"#+ +(.+)", cell.source)
            if cell.cell_type == "markdown" and heading is not None:
                progress.say(heading[1].strip())
            return start_of_cell(cell, *position, **keywords)

        nb_man.cell_start = say_heading_and_start
        return super().execute_managed_notebook(nb_man, kernel_name, **options)


papermill_engines.register(ENGINE, _Engine)


def _sweep_sockets() -> None:
    """Remove the folders of runs that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{SOCKETS}*-*"):
        if not is_running(folder.name.removeprefix(SOCKETS).partition("-")[0]):
            shutil.rmtree(folder, ignore_errors=True)


def _kernel_manager(folder: Path) -> type[AsyncKernelManager]:
    """A class of kernel managers whose sockets are files in ``folder``, so that no port is used."""

    class IpcKernelManager(AsyncKernelManager):
        def __init__(self, **options: Any) -> None:
            connection_file = str(folder / "kernel.json")
            super().__init__(transport="ipc", connection_file=connection_file, **options)

    return IpcKernelManager


def _reason(error: Exception) -> str:
    """Why a notebook stopped: the error and the end of its traceback, without colours."""
    if not isinstance(error, papermill.PapermillExecutionError):
        return str(error).strip().splitlines()[0]
    traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback)).splitlines()
    lines = [f"    {line}" for line in traceback[-LINES_OF_TRACEBACK:]]
    return "\n".join([f"{error.ename}: {error.evalue}", *lines])
