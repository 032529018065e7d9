"""Photographs as tensors: a user's own files, and pictures inside a results file."""

from __future__ import annotations

import base64
import io
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from equilibria.files import DataError

__all__ = ["ImageError", "folder", "from_png", "read", "to_png", "to_tensor"]

_SMALLEST = 32  # the shortest side in pixels that `read` accepts
_MOST_PIXELS = 64 * 10**6  # decoding takes up to 15 bytes for each
_UNREADABLE = (
    UnidentifiedImageError,
    OSError,
    SyntaxError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
_LARGEST = 1024  # `read` scales longer sides down to this many pixels


class ImageError(DataError):
    """A file that is not a usable image, or a missing data set; the message says what to do."""


def read(path: str | Path | BinaryIO, *, largest: int = _LARGEST) -> Tensor:
    """A user's photograph, from a path or an open file, as (3, H, W), float32, in [0, 1].

    The photograph is turned upright. A grey image gets three equal channels, and transparent
    pixels are laid over white. An image with a side longer than ``largest`` is scaled down to it;
    a printed line says so.

    Raises `ImageError` for a missing or damaged file, for a file that is not an image, and for an
    image with a side below 32 pixels or more than 64 million pixels.
    """
    name = str(path) if isinstance(path, str | Path) else str(getattr(path, "name", "the upload"))
    try:
        with warnings.catch_warnings():
            # Pillow only warns of some images that would fill the memory.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                _require_few_pixels(file, name)
                image = _to_rgb(ImageOps.exif_transpose(file), name)
    except FileNotFoundError:
        raise ImageError(f"path: there is no file {name!r}") from None
    except UnidentifiedImageError:  # its own words name Python's object, and not the file
        raise ImageError(f"path: {name!r} cannot be read as an image") from None
    except _UNREADABLE as error:
        raise ImageError(f"path: {name!r} cannot be read as an image ({error})") from None
    if min(image.size) < _SMALLEST:
        raise ImageError(
            f"path: {name!r} has {image.width} x {image.height} pixels, "
            f"and each side must have at least {_SMALLEST}"
        )
    if max(image.size) > largest:
        _scale_down(image, largest, name)
    return to_tensor(image)


def folder(path: str | Path) -> dict[str, Tensor]:
    """Every photograph of a folder, as `read` returns it, by the file's name without its ending.

    Raises `ImageError` where the folder holds no photograph, and for one that cannot be read.
    """
    endings = Image.registered_extensions()
    files = sorted(file for file in Path(path).glob("*") if file.suffix.lower() in endings)
    if not files:
        raise ImageError(f"path: {str(path)!r} is not a folder with photographs")
    return {file.stem: read(file) for file in files}


def to_tensor(image: Image.Image) -> Tensor:
    """An RGB image as (3, H, W), float32, in [0, 1]."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def to_png(image: Tensor) -> str:
    """A picture as text for a results file: a PNG in base64, with 8 bits per channel.

    image: (3, H, W) in [0, 1]; values outside this range are clipped.
    """
    pixels = (255 * image.detach().cpu().clamp(0, 1)).round().byte().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def from_png(text: str) -> NDArray[np.uint8]:
    """The pixels, (H, W, 3), uint8, of a picture that `to_png` wrote."""
    return np.array(Image.open(io.BytesIO(base64.b64decode(text))))


def _require_few_pixels(image: Image.Image, name: str) -> None:
    """Raise `ImageError` for an image that would take gigabytes; it is not decoded yet."""
    pixels = image.width * image.height
    if pixels > _MOST_PIXELS:
        raise ImageError(
            f"path: {name!r} has {pixels / 1e6:.0f} million pixels, and {_MOST_PIXELS // 10**6} "
            "million are the most that is read; scale it down"
        )


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    # PIL's own conversion clips images with 16 or 32 bits per channel.
    if image.mode.startswith(("I", "F")):
        image = _to_eight_bits(image, name)
    return image.convert("RGB")


def _to_eight_bits(image: Image.Image, name: str) -> Image.Image:
    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ImageError(f"path: {name!r} has pixels that are not finite")
    white = 65535 if image.mode.startswith("I") else max(1.0, values.max())
    return Image.fromarray((255 * (values / white).clip(0, 1)).round().astype(np.uint8))


def _scale_down(image: Image.Image, largest: int, name: str) -> None:
    """Shrink ``image`` in place until no side is longer than ``largest``."""
    before = f"{image.width} x {image.height} pixels"
    image.thumbnail((largest, largest), Image.Resampling.LANCZOS)
    print(f"{name}: {before} scaled down to {image.width} x {image.height}")
    if min(image.size) < _SMALLEST:
        raise ImageError(
            f"path: {name!r} has {before}: it is too long and narrow to scale down to {largest}"
        )
