"""What can be trained for the deblurring study, and by which recipe (paper, Tables 3-4).

================  =====================================================================
``denoiser``      H alone, on white noise. Every other model starts from its weights
``explicit``      y = H(x)
``pgd``, ``hqs``  implicit models, trained at their equilibrium (see `pool`)
``unfolded-K``    K blocks of HQS, each with its own weights
``unrolled-pgd``  broken on purpose: PGD, by plain backpropagation through 10 iterations
================  =====================================================================

The profile ``quick`` has a DRUNet of 0.14 million weights, crops of 64 x 64 and this project's own
kernel. Two CPU cores train it, and the repository ships its weights. The profile ``paper`` has the
published network, crops of 128 x 128 and the kernel of Levin et al.; its ``denoiser`` is not
trained, because deepinv hosts the published weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equilibria.operators.blur import Blur
from equilibria.operators.deblurring import Denoiser, Explicit, ImplicitHQS, ImplicitPGD, Unfolded
from equilibria.problems import images

__all__ = ["DEPTHS", "RECIPES", "Recipe", "kernel", "kind_of", "names", "needs", "new"]

DEPTHS = {"quick": (1, 2, 4, 8), "paper": (1, 2, 4, 8, 16, 32)}  # K of `unfolded-K`, by profile
_LEVIN09 = "https://huggingface.co/datasets/deepinv/degradations/resolve/main/Levin09.npy"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The network, the data and the length of the trainings of one profile."""

    channels: tuple[int, ...]  # of the denoiser's four scales
    blocks: int  # of the denoiser, per scale and direction
    residual: bool  # form of the denoiser; False for the published weights
    crop: int  # pixels per side of a training crop
    batch: int  # crops per step
    pool: int  # slots of an implicit model's pool
    steps: dict[str, int]  # of each kind of model
    learning_rate: float  # of all models but the denoiser


RECIPES = {
    "quick": Recipe(
        channels=(8, 16, 32, 64),
        blocks=1,
        residual=True,
        crop=64,
        batch=8,
        pool=128,
        learning_rate=3e-4,
        steps={
            "denoiser": 4000,
            "explicit": 5000,
            "pgd": 1200,
            "hqs": 1200,
            "unfolded": 1200,
            "unrolled": 150,
        },
    ),
    "paper": Recipe(
        channels=(64, 128, 256, 512),
        blocks=4,
        residual=False,
        crop=128,
        batch=6,
        pool=96,
        learning_rate=1e-4,
        steps={"explicit": 4000, "pgd": 4000, "hqs": 4000, "unfolded": 4000, "unrolled": 400},
    ),
}


def names(profile: str) -> list[str]:
    """The names of what can be trained in a profile, in an order in which it can be trained."""
    unfolded = [f"unfolded-{depth}" for depth in DEPTHS[profile]]
    return ["denoiser", "explicit", "pgd", "hqs", *unfolded, "unrolled-pgd"]


def needs(name: str) -> list[str]:
    """The models from whose weights (of seed 0) a training starts."""
    return [] if name == "denoiser" else ["denoiser"]


def kind_of(name: str) -> str:
    """The kind of a model, which `Recipe.steps` lists: "unfolded" for "unfolded-8"."""
    return name.partition("-")[0]


def kernel(profile: str) -> Tensor:
    """The kernel of a profile, (17, 17), float64.

    Raises `ImageError` for the profile ``paper`` where Levin09.npy is missing.
    """
    if profile == "quick":
        return images.motion_kernel()
    kernel = images.levin09()
    if kernel is None:
        raise images.ImageError(
            f"the profile paper needs {images.levin09_path()}: put {_LEVIN09} there"
        )
    return kernel


def new(name: str, *, profile: str = "quick", seed: int = 0) -> nn.Module:
    """An untrained model; sets the seed of torch's global generator, which its weights come from.

    Raises `ImageError` where the profile's kernel is missing.
    """
    torch.manual_seed(seed)
    recipe = RECIPES[profile]
    denoiser = Denoiser(recipe.channels, recipe.blocks, residual=recipe.residual)
    kind = kind_of(name)
    if kind == "denoiser":
        return denoiser
    if kind == "explicit":
        return Explicit(denoiser)
    blur = Blur(kernel(profile))
    if kind == "unfolded":
        depth = int(name.partition("-")[2])
        return Unfolded(ImplicitHQS(denoiser, blur), depth)
    if kind == "hqs":
        return ImplicitHQS(denoiser, blur)
    return ImplicitPGD(denoiser, blur)
