"""Trained weights: a safetensors file beside a JSON card that says how they came to be and carries their sha256."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

__all__ = ["CheckpointError", "load", "read_card", "read_tensors", "save", "write_tensors"]


class CheckpointError(RuntimeError):
    """A checkpoint that is missing, damaged or another model's. The message names the file and what to do."""


def write_tensors(
    path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file whole or not at all: a kill leaves the old file in place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    save_file(
        {k: v.detach().to("cpu").contiguous() for k, v in tensors.items()},
        partial,
        metadata=metadata,
    )
    os.replace(partial, path)


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """(tensors, metadata) of a safetensors file. Raises CheckpointError when it cannot be read."""
    from safetensors import safe_open

    try:
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is damaged or not a safetensors file ({error}); delete it and train again"
        ) from error


def save(stem: str | Path, model: torch.nn.Module, card: dict) -> None:
    """Write `stem`.safetensors and `stem`.json. The card gains `sha256`, `parameters` and `versions`; it is written last,
    so that a card never speaks of weights that are not there.
    """
    stem = Path(stem)
    weights = stem.with_name(stem.name + ".safetensors")
    write_tensors(weights, dict(model.state_dict()))
    card = {
        **card,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "parameters": sum(p.numel() for p in model.parameters()),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    path = stem.with_name(stem.name + ".json")
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_text(json.dumps(card, indent=1, sort_keys=True) + "\n")
    os.replace(partial, path)


def read_card(stem: str | Path) -> dict:
    """The card beside the weights. Raises CheckpointError when it is missing or not a card."""
    path = Path(stem).with_name(Path(stem).name + ".json")
    try:
        card = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise CheckpointError(
            f"there is no checkpoint card {path}; train it with `equilibria train`"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} is not a checkpoint card ({error})") from error
    if not isinstance(card, dict) or "sha256" not in card:
        raise CheckpointError(f"{path} is not a checkpoint card: it has no sha256")
    return card


def load(stem: str | Path, model: torch.nn.Module) -> dict:
    """Load the weights into `model` and return their card.

    Raises CheckpointError when card or weights are missing, when the weights' sha256 is not the card's (damaged or
    foreign), or when a name or shape does not fit the model. The model is unchanged then.
    """
    card, weights = read_card(stem), Path(stem).with_name(Path(stem).name + ".safetensors")
    if not weights.is_file():
        raise CheckpointError(
            f"there are no weights {weights}; fetch the repository's file again or train anew"
        )
    if hashlib.sha256(weights.read_bytes()).hexdigest() != card["sha256"]:
        raise CheckpointError(
            f"{weights} is damaged or foreign: its sha256 is not the one on its card; "
            "restore it with `git checkout` or train anew"
        )
    tensors, _ = read_tensors(weights)
    wanted = {k: tuple(v.shape) for k, v in model.state_dict().items()}
    found = {k: tuple(v.shape) for k, v in tensors.items()}
    if wanted != found:
        odd = sorted(set(wanted.items()) ^ set(found.items()))[0]
        raise CheckpointError(
            f"{weights} belongs to another model: {odd[0]} with shape {odd[1]} is only on one side"
        )
    model.load_state_dict(tensors)
    return card
