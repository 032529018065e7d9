"""Generated data that are kept on disk: made once per recipe, checked whenever they are read."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from equilibria import checkpoints
from equilibria.files import DataError

__all__ = ["checksum", "read_or_make", "read_tensors", "recipe_key", "seed_of", "write_tensors"]


def recipe_key(recipe: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that stand for every setting of ``recipe`` in a file's name."""
    return hashlib.sha256(_text(recipe).encode()).hexdigest()[:12]


def seed_of(*words: object) -> int:
    """A seed made from a digest of ``words``; seeds of neighbouring numbers are unrelated."""
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return int.from_bytes(digest[:7], "big")


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """The sha256 of the content of ``tensors``, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def write_tensors(path: Path, tensors: Mapping[str, Tensor], recipe: Mapping[str, Any]) -> None:
    """Write ``tensors`` with their recipe and checksum, whole or not at all."""
    metadata = {"recipe": _text(recipe), "sha256": checksum(tensors)}
    checkpoints.write_tensors(path, dict(tensors), metadata)


def read_tensors(path: Path, recipe: Mapping[str, Any]) -> dict[str, Tensor]:
    """Read what `write_tensors` wrote.

    Raises `DataError` for a file that cannot be read, is damaged or was made by another recipe.
    """
    try:
        tensors, metadata = checkpoints.read_tensors(path)
    except checkpoints.CheckpointError as error:
        raise DataError(f"{path} is not a readable data file ({error})") from error
    if metadata.get("recipe") != _text(recipe):
        raise DataError(f"{path} was made by another recipe: {metadata.get('recipe')}")
    if metadata.get("sha256") != checksum(tensors):
        raise DataError(f"{path} is damaged: its checksum does not match its content")
    return tensors


def read_or_make(
    path: Path, recipe: Mapping[str, Any], make: Callable[[], Mapping[str, Tensor]]
) -> dict[str, Tensor]:
    """The tensors in ``path``, made and written first where the file is missing or unusable.

    A file that is damaged or of another recipe is named in a warning and made again.
    """
    if path.exists():
        try:
            return read_tensors(path, recipe)
        except DataError as error:
            warnings.warn(f"{error}; it is made again", stacklevel=2)
    tensors = dict(make())
    write_tensors(path, tensors, recipe)
    return tensors


def _text(recipe: Mapping[str, Any]) -> str:
    return json.dumps(recipe, sort_keys=True)
