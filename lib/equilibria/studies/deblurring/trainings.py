"""Training the deblurring models: data, losses, validation, and where the denoiser comes from."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.hub
from torch import Tensor, nn

from equilibria import checkpoints, splits, training
from equilibria.files import DataError, read_pinned
from equilibria.operators.blur import Blur
from equilibria.operators.deblurring import DeblurringOperator, Denoiser
from equilibria.paths import data_folder
from equilibria.problems import images
from equilibria.solvers import trajectory
from equilibria.studies.deblurring.measures import psnr_along_t
from equilibria.studies.deblurring.pool import VISITS, PhotographPool, mean_square, pool_loss
from equilibria.studies.deblurring.recipes import RECIPES, Recipe, kernel, kind_of, new
from equilibria.studies.deblurring.records import RECORDS, load
from equilibria.training import parallel

__all__ = ["train"]

_LARGEST_NOISE = 0.15  # noise level of the denoiser's training: uniform from 0 to this
_VALIDATION_NOISE = 0.05  # noise level at which the denoiser is validated
_VALIDATION_STEPS = (10, 30, 100)  # t at which an iterated model is validated
# deepinv's published denoiser, of one commit of the repository that hosts it.
_DRUNET = (
    "https://huggingface.co/deepinv/drunet/resolve/7e079a6800958ae777b48e41fc1202a2ee21ecbe/"
    "drunet_deepinv_color_finetune_22k.pth"
)
_DRUNET_SHA256 = "20296845d272d3d786b89ea3c1208d5f2ceb57658a499d4dd28073cbb73508aa"
_UNROLLED_STEPS = 10  # iterations through which `unrolled-pgd` is trained

Loss = Callable[[nn.Module, int, torch.Generator], Tensor]  # loss(model, step, generator)


@splits.trains
def train(
    name: str,
    *,
    profile: str,
    seed: int = 0,
    minutes: float | None = None,
    device: str | None = None,
) -> training.Outcome:
    """Train one model on BSDS500's training photographs, or continue where an earlier call stopped.

    name     one of `names(profile)`
    minutes  stop at the next saving after this long; None trains to the end
    device   None: a GPU where there is one

    It is validated on photographs of the split "val"; whatever asks for test data raises
    `SplitError`. Writes ``data/checkpoints/deblurring/NAME-seedN``; the unfinished state is kept in
    ``data/trainings``. Raises `DataError` where the data set or the published weights are missing,
    `CheckpointError` where the denoiser has not been trained.
    """
    device = device or training.default_device()
    recipe = RECIPES[profile]
    # Only the published form of H is not residual, and it does not learn from new weights.
    if name == "denoiser" and not recipe.residual:
        return _fetch_denoiser(profile, seed)
    # Half of a batch is young slots, half is old ones.
    parallel.require_shares(recipe.batch // 2)
    data = _TrainingData.read(recipe, profile, device)
    model = new(name, profile=profile, seed=seed).to(device)
    kind = kind_of(name)
    if kind != "denoiser":
        _start_from_denoiser(model, profile)
    if kind in VISITS:
        pool = PhotographPool.empty(recipe.pool, recipe.crop, device=device)
        loss, memory = _implicit_loss(kind, data, pool, seed), pool.memory()
    else:
        loss, memory = _direct_loss(kind, data), {}

    def validate(model: nn.Module) -> dict[str, float]:
        return _validate(kind, model, data)

    return RECORDS.train(
        name,
        model,
        loss,
        settings=_settings(kind, recipe, seed),
        profile=profile,
        device=device,
        minutes=minutes,
        validate=validate,
        memory=memory,
    )


def _settings(kind: str, recipe: Recipe, seed: int) -> training.Settings:
    steps = recipe.steps[kind]
    return training.Settings(
        steps=steps,
        learning_rate=1e-3 if kind == "denoiser" else recipe.learning_rate,
        clip=0.1,
        warmup=50,
        schedule="cosine",
        ema=0.998,
        seed=seed,
        save_every=20,
        validate_every=max(1, steps // 6),
    )


@dataclass(frozen=True)
class _TrainingData:
    """Photographs to train on, held-out crops to validate on, and the blur between y and x."""

    photographs: list[Tensor]  # (3, H, W) each
    held_out: Tensor  # (16, 3, crop, crop), on the device
    blur: Blur
    crop: int
    batch: int
    device: str

    @classmethod
    def read(cls, recipe: Recipe, profile: str, device: str) -> _TrainingData:
        photographs = images.bsds500("train")
        held_out = images.crops(images.bsds500("val")[:16], size=recipe.crop, seed=0).to(device)
        blur = Blur(kernel(profile))
        return cls(photographs, held_out, blur, recipe.crop, recipe.batch, device)

    def draw(self, generator: torch.Generator) -> Tensor:
        """One batch of crops, (batch, 3, crop, crop), on the CPU."""
        return images.draw(self.photographs, self.batch, size=self.crop, generator=generator)


# ------------------------------------------------------------------------------------ losses
def _implicit_loss(kind: str, data: _TrainingData, pool: PhotographPool, seed: int) -> Loss:
    half = len(pool.truth) // 2

    def loss(model: nn.Module, step: int, generator: torch.Generator) -> Tensor:
        assert isinstance(model, DeblurringOperator)
        # Half of the batch comes from the young slots, half from the old ones.
        young = training.minibatch(half, data.batch // 2, seed=seed, step=step)
        slots = torch.cat([young, young + half])
        return pool_loss(model, pool, data.photographs, slots, generator, visits=VISITS[kind])

    return loss


def _direct_loss(kind: str, data: _TrainingData) -> Loss:
    compute = {
        "denoiser": _denoising_error,
        "explicit": _restoration_error,
        "unfolded": _restoration_error,
        "unrolled": _unrolled_error,
    }[kind]

    def loss(model: nn.Module, step: int, generator: torch.Generator) -> Tensor:
        return compute(model, data, generator)

    return loss


def _denoising_error(model: nn.Module, data: _TrainingData, generator: torch.Generator) -> Tensor:
    truth = data.draw(generator)
    sigma = _LARGEST_NOISE * torch.rand(data.batch, generator=generator)
    noisy = truth + sigma[:, None, None, None] * torch.randn(truth.shape, generator=generator)
    truth, noisy, sigma = parallel.rows(truth), parallel.rows(noisy), parallel.rows(sigma)
    y = model(noisy.to(data.device), sigma.to(data.device))
    return mean_square(y - truth.to(data.device))


def _restoration_error(model: nn.Module, data: _TrainingData, generator: torch.Generator) -> Tensor:
    truth, x = _measured(data, generator)
    return mean_square(model(x) - truth)


def _unrolled_error(model: nn.Module, data: _TrainingData, generator: torch.Generator) -> Tensor:
    """Backpropagated through every iteration; nothing asks for an equilibrium."""
    truth, x = _measured(data, generator)
    *_, y = trajectory(model, x, x, _UNROLLED_STEPS)
    return mean_square(y - truth)


def _measured(data: _TrainingData, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """(truth, x) of this process's rows of a batch, on the device."""
    truth = data.draw(generator).to(data.device)
    x = images.measure(truth, data.blur, generator=generator)
    return parallel.rows(truth), parallel.rows(x)


# -------------------------------------------------------------------------------- validation
@torch.no_grad()
def _validate(kind: str, model: nn.Module, data: _TrainingData) -> dict[str, float]:
    """Mean PSNR in dB on the held-out crops; for an iterated model at several t."""
    generator = torch.Generator().manual_seed(0)
    truth = data.held_out
    if kind == "denoiser":
        noise = torch.randn(truth.shape, generator=generator).to(data.device)
        noisy = truth + _VALIDATION_NOISE * noise
        return {"psnr": images.psnr(model(noisy, _VALIDATION_NOISE), truth).mean().item()}
    x = images.measure(truth, data.blur, generator=generator)
    if not isinstance(model, DeblurringOperator):
        return {"psnr": images.psnr(model(x), truth).mean().item()}
    curve = psnr_along_t(model, truth, x, steps=max(_VALIDATION_STEPS), start=x).mean(1)
    return {f"psnr_{t}": curve[t - 1].item() for t in _VALIDATION_STEPS}


# ------------------------------------------------------------------------------ the denoiser
def _start_from_denoiser(model: nn.Module, profile: str) -> None:
    """Copy the weights of the trained denoiser into every H of ``model``."""
    weights = load("denoiser", profile=profile)[0].state_dict()
    for part in model.modules():
        if isinstance(part, Denoiser):
            part.load_state_dict(weights)


def _fetch_denoiser(profile: str, seed: int) -> training.Outcome:
    """Save deepinv's published DRUNet as the denoiser of a profile.

    Raises `DataError` where it cannot be downloaded, and where what comes is another file.
    """
    stem = RECORDS.stem("denoiser", seed=seed, profile=profile)
    file = data_folder() / "downloads" / _DRUNET.rpartition("/")[2]
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        for leftover in file.parent.glob(f"{file.name}.*.partial"):  # of a download that was killed
            leftover.unlink(missing_ok=True)
        try:
            torch.hub.download_url_to_file(_DRUNET, str(file), hash_prefix=_DRUNET_SHA256)
        except (OSError, RuntimeError) as error:  # no network or no space; another file
            raise DataError(
                f"the published weights of DRUNet cannot be fetched ({error}): "
                f"put {_DRUNET} there as {file}"
            ) from error
    content = io.BytesIO(read_pinned(file, _DRUNET_SHA256))
    published = torch.load(content, map_location="cpu", weights_only=True)
    model = new("denoiser", profile=profile)
    assert isinstance(model, Denoiser)
    model.unet.load_state_dict(published)
    card = {
        "name": "denoiser",
        "profile": profile,
        "source": _DRUNET,
    }
    checkpoints.save(stem, model, card)
    print(f"denoiser: the published weights are now in {stem.parent}")
    return training.Outcome(finished=True, step=0, seconds=0.0, metrics={})
