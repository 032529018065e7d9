"""The file of an unfinished training: with a checksum, and kept twice.

NAME.state.safetensors            the last saving
NAME.state.earlier.safetensors    the one before it, for the day when the last one is damaged
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import torch
from torch import Tensor

from equilibria import checkpoints
from equilibria.checkpoints import CheckpointError
from equilibria.training.state import Counters

__all__ = ["StateFile"]


class StateFile:
    """The two files of one training.

    path         of the last saving
    declaration  settings and card, as text: a training with others does not go on from here
    """

    def __init__(self, path: Path, declaration: str) -> None:
        self.path = path
        self.earlier = path.with_name(path.name.replace(".state.", ".state.earlier."))
        self.declaration = declaration

    def write(self, tensors: dict[str, Tensor], counters: Counters) -> None:
        """Keep the last saving as the earlier one, and write a new one."""
        # The key keeps its old name "recipe".
        metadata = {"recipe": self.declaration, "counters": counters.to_json()}
        metadata["sha256"] = _digest(tensors, metadata)
        if self.path.exists():
            os.replace(self.path, self.earlier)
        checkpoints.write_tensors(self.path, tensors, metadata)

    def read(self) -> tuple[dict[str, Tensor], Counters] | None:
        """The last saving that is whole; None where there is none at all.

        A damaged one is named in a printed line where the earlier one takes its place. Raises
        `CheckpointError` where none is whole, or for a training with other settings.
        """
        damaged = None
        for path in (self.path, self.earlier):
            if not path.exists():
                continue
            try:
                tensors, metadata = _read_whole(path)
            except CheckpointError as error:
                damaged = damaged or error
                continue
            if metadata["recipe"] != self.declaration:
                raise CheckpointError(
                    f"{path} belongs to a training with other settings; delete it to start anew"
                )
            if damaged is not None:
                print(f"{damaged}; the training goes on from the saving before it", flush=True)
            return tensors, Counters.from_json(metadata["counters"])
        if damaged is not None:
            raise CheckpointError(f"{damaged}; no earlier saving is whole: delete it to start anew")
        return None

    def remove(self) -> None:
        """Delete both files."""
        self.path.unlink(missing_ok=True)
        self.earlier.unlink(missing_ok=True)


def _read_whole(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata; raises `CheckpointError` unless they are those that were written."""
    try:
        tensors, metadata = checkpoints.read_tensors(path)
    except CheckpointError as error:
        raise CheckpointError(f"{path} is damaged ({error.__cause__})") from error
    if metadata.pop("sha256", None) != _digest(tensors, metadata):
        raise CheckpointError(f"{path} is damaged (its content has another sha256)")
    return tensors, metadata


def _digest(tensors: dict[str, Tensor], metadata: dict[str, str]) -> str:
    """The sha256 of all that a file holds, whatever the order."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
