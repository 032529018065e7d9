"""Where a result comes from: device, versions, commit, and paths as they are shown to a reader."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from equilibria import checkpoints
from equilibria.paths import data_folder, project_root

__all__ = ["device_name", "misfit", "origin", "short_path", "source_commit", "versions"]

PACKAGES = ("equilibria", "numpy", "scipy", "torch-geometric", "matplotlib")


def origin(notebook: str, profile: str) -> dict[str, Any]:
    """What a result depends on: notebook, profile, the lock's sha256, the weights it has loaded.

    Weights go by their path in the data folder.
    """
    folder = data_folder()
    weights = {
        (stem.relative_to(folder) if stem.is_relative_to(folder) else stem).as_posix(): sha256
        for stem, sha256 in checkpoints.loaded().items()
    }
    return {"notebook": notebook, "profile": profile, "lock": _lock(), "weights": weights}


def misfit(provenance: Mapping[str, Any], notebook: str, profile: str) -> str | None:
    """Why a run with this ``provenance`` says nothing about the present project; None if it does.

    It was another notebook's or profile's, under another lock, or with other weights.
    """
    now = {"notebook": notebook, "profile": profile, "lock": _lock()}
    for name, value in now.items():
        if provenance.get(name) != value:
            return f"its run had {name} {provenance.get(name)!r}, not {value!r}"
    weights = provenance.get("weights")
    if not isinstance(weights, dict):
        return "its run does not say which weights it had"
    for stem, sha256 in weights.items():
        try:
            card = checkpoints.read_card(data_folder() / stem)
        except checkpoints.CheckpointError:
            return f"its run had weights {stem}, which are not there"
        if card["sha256"] != sha256:
            return f"its run had other weights {stem}"
    return None


def _lock() -> str | None:
    path = project_root() / "requirements.lock"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


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
