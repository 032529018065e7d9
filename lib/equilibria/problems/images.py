"""Photographs, motion blur and noise: the data of the deblurring study (paper, section 5.1).

x = A y + n, with A a convolution on the torus and n Gaussian, sigma = 0.03.

=====================  ==================================================================================
``y``, ``x``           photograph and measurement, (B, 3, H, W), float32, y in [0, 1]
``A``                  `Blur`: y -> k * y by FFT, circular boundary; ``A^T`` its adjoint; sum(k) = 1, so |A| = 1
``bsds500``            the paper's data: 200 / 100 / 200 photographs; one random 128 x 128 crop of each
``embedded``           five photographs that scikit-image ships, for runs without a data set
=====================  ==================================================================================
"""

from __future__ import annotations

import base64
import hashlib
import io
import math
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from equilibria.files import DataError
from equilibria.paths import data_folder

__all__ = [
    "NOISE",
    "Blur",
    "ImageError",
    "bsds500",
    "crops",
    "draw",
    "embedded",
    "folder",
    "from_png",
    "has_bsds500",
    "levin09",
    "measure",
    "motion_kernel",
    "psnr",
    "read",
    "ssim",
    "to_png",
]

NOISE = 0.03
_SPLITS = {"train": 200, "val": 100, "test": 200}
_SMALLEST, _LARGEST = 32, 1024  # sides in pixels that `read` takes as they are
_PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "motorcycle_left", "rocket")
_LEVIN09_INDEX1 = "535770f6"  # first digits of sha256 of the float64 kernel


class ImageError(DataError):
    """A file that is not a usable image, or a data set that is not there. The message says what to do."""


# ------------------------------------------------------------------------------------------------------- photographs
def read(path: str | Path | BinaryIO, *, largest: int = _LARGEST) -> Tensor:
    """A user's photograph (a path or an open file) as (3, H, W) in [0, 1]. Turned upright; grey images get three equal channels, transparency
    goes onto white; sides beyond `largest` are scaled down to it, which is printed.

    Raises ImageError for what is not an image, is damaged, or has a side below 32 pixels.
    """
    name = "the upload" if hasattr(path, "read") else str(path)
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            if "A" in image.getbands() or "transparency" in image.info:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            if image.mode.startswith(
                ("I", "F")
            ):  # 16 or 32 bits a channel: PIL's own conversion clips
                image = _stretched(image, name)
            image = image.convert("RGB")
    except FileNotFoundError:
        raise ImageError(f"path: there is no file {name!r}") from None
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError(f"path: {name!r} cannot be read as an image ({error})") from None
    if min(image.size) < _SMALLEST:
        raise ImageError(
            f"path: {name!r} has {image.width} x {image.height} pixels, and each side must have at least {_SMALLEST}"
        )
    if max(image.size) > largest:
        before = image.size
        image.thumbnail((largest, largest), Image.Resampling.LANCZOS)
        print(
            f"{name}: {before[0]} x {before[1]} pixels scaled down to {image.width} x {image.height}"
        )
        if min(image.size) < _SMALLEST:
            raise ImageError(
                f"path: {name!r} has {before[0]} x {before[1]} pixels: too long and narrow to scale down to {largest}"
            )
    return _tensor(image)


def folder(path: str | Path) -> dict[str, Tensor]:
    """Every photograph of a folder, by name, as `read` gives it. Raises ImageError where there is none, or one cannot be read."""
    known = Image.registered_extensions()
    found = sorted(file for file in Path(path).glob("*") if file.suffix.lower() in known)
    if not found:
        raise ImageError(f"path: {str(path)!r} is not a folder with photographs")
    return {file.stem: read(file) for file in found}


def _stretched(image: Image.Image, name: str) -> Image.Image:
    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ImageError(f"path: {name!r} has pixels that are not finite")
    top = 65535 if image.mode.startswith("I") else max(1.0, values.max())
    return Image.fromarray((255 * (values / top).clip(0, 1)).round().astype(np.uint8))


def _tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def to_png(image: Tensor) -> str:
    """(3, H, W) in [0, 1] (clipped) as a PNG in base64: how a results file keeps a picture, to 8 bits a channel."""
    file = io.BytesIO()
    Image.fromarray(
        (255 * image.detach().cpu().clamp(0, 1)).round().byte().permute(1, 2, 0).numpy()
    ).save(file, "png", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def from_png(text: str) -> np.ndarray:
    """(H, W, 3), uint8, of what `to_png` wrote."""
    return np.array(Image.open(io.BytesIO(base64.b64decode(text))))


def embedded() -> dict[str, Tensor]:
    """The colour photographs that come with scikit-image, by name, (3, H, W) each: no file of ours, no network."""
    from skimage import data

    return {
        name: _tensor(
            Image.open(
                Path(data.__file__).parent / f"{name}.{'jpg' if name == 'rocket' else 'png'}"
            ).convert("RGB")
        )
        for name in _PHOTOGRAPHS
    }


def has_bsds500() -> bool:
    return (data_folder() / "BSDS500" / "BSDS500-master").is_dir()


def bsds500(split: str, *, download: bool = False) -> list[Tensor]:
    """The photographs of one split, (3, 321, 481) or (3, 481, 321) each, in the data set's order (Arbelaez et al. 2011).

    They lie in `data/BSDS500` (EQUILIBRIA_DATA); with download=True deepinv fetches them there and checks the sum.
    Raises ImageError where they are missing or incomplete, ValueError for another split.
    """
    if split not in _SPLITS:
        raise ValueError(f"split must be one of {', '.join(_SPLITS)}, got {split!r}")
    place = data_folder() / "BSDS500"
    if not has_bsds500() and not download:
        raise ImageError(
            f"BSDS500 is not in {place}: get it with "
            "python -c \"from equilibria.problems import images; images.bsds500('train', download=True)\" (70 MB)"
        )
    from deepinv.datasets import BSDS500

    try:
        photographs = [
            _tensor(item["x"])
            for item in BSDS500(
                place, download=download and not has_bsds500(), splits=[split], use_dict_output=True
            )
        ]
    except (NameError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise ImageError(
            f"{place} is not the data set as deepinv lays it out ({error}); delete it and download it again"
        ) from error
    if len(photographs) != _SPLITS[split]:
        raise ImageError(
            f"{place} has {len(photographs)} photographs of the split {split!r}, not {_SPLITS[split]}; delete it and download it again"
        )
    return photographs


def crops(photographs: list[Tensor], *, size: int, seed: int, each: int = 1) -> Tensor:
    """`each` random crops of every photograph, (each * N, 3, size, size), photograph by photograph; a function of the seed.
    Raises ValueError where a photograph is smaller than `size`.
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.stack(
        [_crop(image, size, generator) for image in photographs for _ in range(each)]
    )


def draw(photographs: list[Tensor], count: int, *, size: int, generator: torch.Generator) -> Tensor:
    """`count` crops for training: random photograph, place, mirror image and quarter turn."""
    batch = []
    for i in torch.randint(len(photographs), (count,), generator=generator).tolist():
        crop = _crop(photographs[i], size, generator)
        turns, mirror = torch.randint(4, (2,), generator=generator).tolist()
        crop = torch.rot90(crop, turns, (1, 2))
        batch.append(crop.flip(2) if mirror % 2 else crop)
    return torch.stack(batch)


def _crop(image: Tensor, size: int, generator: torch.Generator) -> Tensor:
    if min(image.shape[1:]) < size:
        raise ValueError(
            f"size must be at most the photograph's sides {tuple(image.shape[1:])}, got {size}"
        )
    top, left = (
        int(torch.randint(side - size + 1, (), generator=generator)) for side in image.shape[1:]
    )
    return image[:, top : top + size, left : left + size]


# -------------------------------------------------------------------------------------------------------------- blur
def motion_kernel(*, size: int = 17, seed: int = 0) -> Tensor:
    """A camera shake of this project's own making, (size, size), float64, >= 0, sum 1: a smooth random path, the time
    it spends in each pixel (bilinear weights), centred on its centre of mass.

    The path has two sines a coordinate, of periods 1 and 1/2, with random amplitudes and phases, on top of a straight
    drift, scaled to reach 0.85 of the way from the middle to the edge.
    """
    generator = torch.Generator().manual_seed(seed)
    s = torch.linspace(0, 1, 2001, dtype=torch.float64)
    drift, amplitude, phase = (
        torch.rand(2, n, generator=generator, dtype=torch.float64) for n in (1, 2, 2)
    )
    path = (2 * drift - 1) * s + sum(
        0.25 / k * amplitude[:, k - 1 : k] * torch.sin(2 * math.pi * (k * s + phase[:, k - 1 : k]))
        for k in (1, 2)
    )
    path = path - path.mean(1, keepdim=True)
    path = (size - 1) / 2 * (1 + 0.85 * path / path.abs().max())
    low = path.floor()
    kernel = torch.zeros(size, size, dtype=torch.float64)
    for down in (0, 1):
        for right in (0, 1):
            weight = (1 - (path[0] - low[0] - down).abs()) * (1 - (path[1] - low[1] - right).abs())
            kernel.index_put_(
                ((low[0] + down).long(), (low[1] + right).long()), weight, accumulate=True
            )
    return kernel / kernel.sum()


def levin09() -> Tensor | None:
    """The paper's kernel, (17, 17), float64: number 1 of Levin et al. 2009, from `data/degradations/Levin09.npy`, or None
    where that file is not. Raises ImageError for another file of that name.
    """
    file = data_folder() / "degradations" / "Levin09.npy"
    if not file.is_file():
        return None
    from deepinv.utils import load_degradation

    try:
        kernel = (
            load_degradation(file.name, file.parent, index=1, download=False).squeeze().double()
        )
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise ImageError(f"{file} cannot be read ({error})") from error
    if (
        not hashlib.sha256(kernel.contiguous().numpy().tobytes())
        .hexdigest()
        .startswith(_LEVIN09_INDEX1)
    ):
        raise ImageError(f"{file} is not the file of Levin et al. 2009: kernel 1 differs")
    return kernel


class Blur:
    """A: circular convolution with a kernel, (B, C, H, W) -> (B, C, H, W), and what follows from its Fourier symbol K.

    kernel  (h, w), odd sides, finite, >= 0, scaled to sum 1 (so |A| = 1, attained at constant images). Its centre is the
            origin. Images may have any size of at least the kernel's.
    Raises ValueError for another kernel, or an image smaller than it.
    """

    def __init__(self, kernel: Tensor):
        kernel = torch.as_tensor(kernel, dtype=torch.float64)
        if kernel.dim() != 2 or any(side % 2 == 0 for side in kernel.shape):
            raise ValueError(f"kernel must have two odd sides, got shape {tuple(kernel.shape)}")
        if (
            not bool(torch.isfinite(kernel).all())
            or bool((kernel < 0).any())
            or not kernel.sum() > 0
        ):
            raise ValueError("kernel must be finite, not negative, and not zero everywhere")
        self.kernel = kernel / kernel.sum()
        self._symbols: dict = {}

    def symbol(self, like: Tensor) -> Tensor:
        """K of images shaped as `like`, (H, W // 2 + 1), complex; kept for the next call."""
        H, W = like.shape[-2:]
        key = (H, W, like.dtype, like.device)
        if key not in self._symbols:
            h, w = self.kernel.shape
            if h > H or w > W:
                raise ValueError(
                    f"image must have at least the kernel's {h} x {w} pixels, got {H} x {W}"
                )
            padded = torch.zeros(H, W, dtype=torch.float64)
            padded[:h, :w] = self.kernel
            K = torch.fft.rfft2(padded.roll((-(h // 2), -(w // 2)), (0, 1)))
            self._symbols[key] = K.to(
                like.device, torch.complex128 if like.dtype == torch.float64 else torch.complex64
            )
        return self._symbols[key]

    def __call__(self, y: Tensor) -> Tensor:
        """A y."""
        return torch.fft.irfft2(self.symbol(y) * torch.fft.rfft2(y), s=y.shape[-2:])

    def adjoint(self, x: Tensor) -> Tensor:
        """A^T x."""
        return torch.fft.irfft2(self.symbol(x).conj() * torch.fft.rfft2(x), s=x.shape[-2:])

    def correct(self, y: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        """Y + F^-1[ weight conj(K) (F x - K F y) ]: every gradient or proximal step on |A y - x|^2 / 2 has this form.
        weight: real, broadcast to (H, W // 2 + 1).
        """
        K = self.symbol(y)
        return y + torch.fft.irfft2(
            weight * K.conj() * (torch.fft.rfft2(x) - K * torch.fft.rfft2(y)), s=y.shape[-2:]
        )


def measure(y: Tensor, blur: Blur, *, generator: torch.Generator, noise: float = NOISE) -> Tensor:
    """X = A y + n. Noise from a CPU generator, so the same on every device. Raises ValueError unless noise >= 0 and y is finite."""
    if not noise >= 0:
        raise ValueError(f"noise must not be negative, got {noise!r}")
    if not bool(torch.isfinite(y).all()):
        raise ValueError("y has pixels that are not finite")
    return blur(y) + noise * torch.randn(y.shape, generator=generator, dtype=y.dtype).to(y.device)


# ----------------------------------------------------------------------------------------------------------- quality
def psnr(y: Tensor, truth: Tensor) -> Tensor:
    """10 log10(1 / mean |y - truth|^2) in dB per image, (B,); values are not clipped, as in training."""
    return -10 * (y - truth).square().flatten(1).mean(1).log10()


def ssim(y: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004) per image, (B,), by scikit-image with its Gaussian window (sigma 1.5)."""
    from skimage.metrics import structural_similarity

    return torch.tensor(
        [
            structural_similarity(
                a,
                b,
                channel_axis=0,
                data_range=1.0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            for a, b in zip(y.double().cpu().numpy(), truth.double().cpu().numpy())
        ]
    )
