"""Where the photographs come from: BSDS500 (Arbelaez et al. 2011), and five that need no files.

BSDS500's split "test" and the five photographs are test data: no training may read them.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from PIL import Image
from torch import Tensor

from equilibria.checks import require
from equilibria.paths import data_folder
from equilibria.problems.images.photographs import ImageError, to_tensor
from equilibria.splits import reading_test_data

__all__ = ["bsds500", "embedded", "has_bsds500"]

_SPLITS = {"train": 200, "val": 100, "test": 200}  # photographs in each split
_EMBEDDED = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
_DOWNLOAD = (
    'python -c "from equilibria.problems import images; '
    "images.bsds500('train', download=True)\" (70 MB)"
)


def embedded() -> dict[str, Tensor]:
    """The colour photographs that scikit-image ships, (3, H, W) each, by name; needs no network.

    Raises `SplitError` while a training runs.
    """
    reading_test_data("the five photographs of scikit-image")
    from skimage import data

    folder = Path(data.__file__).parent
    photographs = {}
    for file in _EMBEDDED:
        photographs[Path(file).stem] = to_tensor(Image.open(folder / file).convert("RGB"))
    return photographs


def has_bsds500() -> bool:
    """Whether BSDS500 lies in the data folder."""
    return (data_folder() / "BSDS500" / "BSDS500-master").is_dir()


def bsds500(split: str, *, download: bool = False) -> list[Tensor]:
    """The photographs of one split, (3, 321, 481) or (3, 481, 321) each, in the data set's order.

    split     "train", "val" or "test"
    download  True: deepinv fetches a missing data set and checks its checksum

    The data set lies in ``data/BSDS500`` (see `equilibria.paths`). Source: Arbelaez et al. 2011.
    Raises `ImageError` where it is missing or incomplete, ValueError for another split, and
    `SplitError` for the split "test" while a training runs.
    """
    require(split in _SPLITS, "split", split, f"one of {', '.join(_SPLITS)}")
    if split == "test":
        reading_test_data("the test photographs of BSDS500")
    place = data_folder() / "BSDS500"
    fetch = download and not has_bsds500()
    if not has_bsds500() and not fetch:
        raise ImageError(f"BSDS500 is not in {place}: get it with {_DOWNLOAD}")
    from deepinv.datasets import BSDS500  # type: ignore[import-untyped]  # deepinv ships no types

    if fetch:
        try:
            BSDS500(place, download=True, splits=[split], use_dict_output=True)
        except (ValueError, OSError, zipfile.BadZipFile) as error:  # those of requests are OSErrors
            raise ImageError(
                f"BSDS500 could not be downloaded ({error}); delete {place} and try again"
            ) from error
    try:
        data_set = BSDS500(place, download=False, splits=[split], use_dict_output=True)
        photographs = [to_tensor(item["x"]) for item in data_set]
    except (NameError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise ImageError(
            f"{place} is not the data set as deepinv lays it out ({error}); "
            "delete it and download it again"
        ) from error
    if len(photographs) != _SPLITS[split]:
        raise ImageError(
            f"{place} has {len(photographs)} photographs of the split {split!r}, "
            f"not {_SPLITS[split]}; delete it and download it again"
        )
    return photographs
