"""Where a result comes from: device, versions, commit, and paths as they are shown to a reader."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from pathlib import Path

import torch

from equilibria.paths import project_root

__all__ = ["device_name", "short_path", "source_commit", "versions"]

PACKAGES = ("equilibria", "numpy", "scipy", "torch-geometric", "matplotlib")


def device_name(device: str) -> str:
    """The name of the GPU, or ``cpu`` with the processor's architecture."""
    if device != "cpu":
        return torch.cuda.get_device_name()
    return f"cpu ({platform.machine()})"


def versions() -> dict[str, str | None]:
    """The versions of Python, PyTorch and `PACKAGES`; None for a package that is not installed."""
    numbers: dict[str, str | None] = {
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    for package in PACKAGES:
        try:
            numbers[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            numbers[package] = None
    return numbers


def source_commit() -> str | None:
    """The commit of the source, with ``+changes`` where the source differs from it.

    None outside of a repository.
    """
    try:
        commit = _git("rev-parse", "HEAD")
        changes = _git("status", "--porcelain", "--", "lib", "notebooks")
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+changes" if changes else "")


def short_path(path: Path) -> Path:
    """``path`` relative to the project where it lies inside."""
    root = project_root()
    return path.relative_to(root) if path.is_relative_to(root) else path


def _git(*words: str) -> str:
    command = ["git", "-C", str(project_root()), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
