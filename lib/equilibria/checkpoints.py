"""Trained weights: a safetensors file, and a JSON card that says how they came to be.

The card carries the sha256 of the weights, so that neither is ever read with another's partner.
"""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from equilibria.files import write_atomically, write_with

__all__ = [
    "CheckpointError",
    "load",
    "loaded",
    "read_card",
    "read_tensors",
    "save",
    "write_tensors",
]

_loaded: dict[Path, str] = {}  # the sha256 of all weights that this process has loaded, by stem


class CheckpointError(RuntimeError):
    """A checkpoint is missing, damaged or another model's; the message says what to do."""


def write_tensors(
    path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file whole or not at all: a kill leaves the old file in place."""
    on_cpu = {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}
    write_with(path, lambda part: save_file(on_cpu, part, metadata=metadata))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """(tensors, metadata) of a safetensors file. Raises `CheckpointError` if it cannot be read."""
    try:
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is damaged or not a safetensors file ({error}); delete it and train again"
        ) from error


def save(stem: str | Path, model: torch.nn.Module, card: dict[str, Any]) -> None:
    """Write the weights of ``model`` to `stem`.safetensors and ``card`` to `stem`.json.

    The card gains `sha256`, `parameters` and `versions`. It is written last, so that a card never
    speaks of weights that are not there.
    """
    weights = _weights_path(stem)
    write_tensors(weights, dict(model.state_dict()))
    full_card = {
        **card,
        "sha256": _digest(weights),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    write_atomically(_card_path(stem), json.dumps(full_card, indent=1, sort_keys=True) + "\n")


def read_card(stem: str | Path) -> dict[str, Any]:
    """The card beside the weights. Raises `CheckpointError` if it is missing or not a card."""
    path = _card_path(stem)
    try:
        card = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise CheckpointError(
            f"there is no checkpoint card {path}; train it with `equilibria train`"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not a checkpoint card ({error})") from error
    if not isinstance(card, dict) or "sha256" not in card:
        raise CheckpointError(f"{path} is not a checkpoint card: it has no sha256")
    return card


def load(stem: str | Path, model: torch.nn.Module) -> dict[str, Any]:
    """Load the weights into ``model`` and return their card.

    Raises `CheckpointError` when card or weights are missing, when the weights' sha256 is not the
    card's (damaged or foreign), when a name, shape or kind of number does not fit the model, or
    when a weight is not finite. The model is then unchanged.
    """
    card = read_card(stem)
    weights = _weights_path(stem)
    if not weights.is_file():
        raise CheckpointError(
            f"there are no weights {weights}; fetch the repository's file again or train anew"
        )
    if _digest(weights) != card["sha256"]:
        raise CheckpointError(
            f"{weights} is damaged or foreign: its sha256 is not the one on its card; "
            "restore it with `git checkout` or train anew"
        )
    tensors, _ = read_tensors(weights)
    _check_shapes(weights, tensors, model)
    _check_numbers(weights, tensors, model)
    model.load_state_dict(tensors)
    _loaded[Path(stem).resolve()] = card["sha256"]
    return card


def loaded() -> dict[Path, str]:
    """The sha256 of the weights that this process has loaded, by their path without ending."""
    return dict(_loaded)


def _check_shapes(weights: Path, tensors: dict[str, Tensor], model: torch.nn.Module) -> None:
    """Raise `CheckpointError` unless names and shapes are those of ``model``."""
    needed = {(name, tuple(tensor.shape)) for name, tensor in model.state_dict().items()}
    stored = {(name, tuple(tensor.shape)) for name, tensor in tensors.items()}
    if needed == stored:
        return
    name, shape = sorted(needed ^ stored)[0]
    raise CheckpointError(
        f"{weights} belongs to another model: {name} with shape {shape} is only on one side"
    )


def _check_numbers(weights: Path, tensors: dict[str, Tensor], model: torch.nn.Module) -> None:
    """Raise `CheckpointError` for whole numbers in place of floating ones, NaN and infinity."""
    for name, wanted in model.state_dict().items():
        found = tensors[name]
        if found.is_floating_point() != wanted.is_floating_point():
            raise CheckpointError(f"{weights}: {name} has the dtype {found.dtype}")
        if not bool(torch.isfinite(found).all()):
            raise CheckpointError(f"{weights}: {name} has entries that are not finite")


def _weights_path(stem: str | Path) -> Path:
    return Path(stem).with_name(Path(stem).name + ".safetensors")


def _card_path(stem: str | Path) -> Path:
    return Path(stem).with_name(Path(stem).name + ".json")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
