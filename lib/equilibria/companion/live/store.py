"""Where frames lie between measuring and showing: one small JSON file per case, and its pictures.

The folder is a part of the site's own files, so that a page finds the pictures beside it. A case's
pictures lie on one sheet, row by row, frames first.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from equilibria.companion.live.measures import MODELS, TIMES, Frames
from equilibria.files import DataError, write_atomically, write_with
from equilibria.paths import project_root

__all__ = ["COLUMNS", "folder", "made_from", "picture", "read", "sheet_path", "write"]

COLUMNS = 5  # of a sheet
_QUALITY = 88  # of WebP: smaller ones show in the faces


def folder() -> Path:
    """The folder of all frames."""
    return project_root() / "docs" / "_static" / "live"


def sheet_path(name: str) -> Path:
    """The sheet of a case's pictures."""
    return folder() / f"{name}.webp"


def made_from(name: str) -> dict[str, str]:
    """The sha256 of the weights that a case is measured with, by their path in data/checkpoints."""
    chosen = MODELS[name]
    if chosen is None:
        return {}
    study, model = chosen
    stem = study.RECORDS.stem(model, seed=0)
    card = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    return {f"{stem.parent.name}/{stem.name}": card["sha256"]}


def write(name: str, frames: Frames) -> None:
    """Keep the frames of one case."""
    data: dict[str, Any] = {"made_from": made_from(name), "times": list(TIMES)}
    data |= _short(frames.data)
    if frames.pictures:
        tiles = [_tile(one) for one in frames.pictures]
        height, width = tiles[0].shape[:2]
        rows = -(-len(tiles) // COLUMNS)
        sheet = np.full((rows * height, COLUMNS * width, 3), 255, dtype=np.uint8)
        for i, tile in enumerate(tiles):
            top, left = i // COLUMNS * height, i % COLUMNS * width
            sheet[top : top + height, left : left + width] = tile
        data["sheet"] = {"columns": COLUMNS, "rows": rows, "width": width, "height": height}
        image = Image.fromarray(sheet)
        write_with(
            sheet_path(name),
            lambda part: image.save(part, "webp", quality=_QUALITY, method=6),
        )
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    write_atomically(folder() / f"{name}.json", text + "\n")


def read(name: str) -> dict[str, Any]:
    """The frames of one case. Raises `DataError` where they were never measured."""
    path = folder() / f"{name}.json"
    if not path.is_file():
        raise DataError(f"{path} is missing: run `equilibria animate`")
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


def picture(name: str, data: dict[str, Any], place: int) -> Image.Image:
    """One picture of a case's sheet; places may count from the end."""
    layout = data["sheet"]
    width, height = layout["width"], layout["height"]
    with Image.open(sheet_path(name)) as sheet:
        left, top = place % COLUMNS * width, place // COLUMNS * height
        return sheet.convert("RGB").crop((left, top, left + width, top + height))


def _tile(image: Any) -> np.ndarray:
    pixels: np.ndarray = (255 * image.clamp(0, 1)).round().byte().movedim(0, 2).numpy()
    return pixels


def _short(value: Any) -> Any:
    """Numbers with four digits: a picture needs no more."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, list):
        return [_short(one) for one in value]
    if isinstance(value, dict):
        return {key: _short(one) for key, one in value.items()}
    return value
