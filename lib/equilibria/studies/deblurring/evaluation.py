"""What the finished models do on BSDS500's test photographs, recorded once per model."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from equilibria.operators.blur import Blur
from equilibria.operators.deblurring import DeblurringOperator
from equilibria.problems import images
from equilibria.solvers import trajectory
from equilibria.splits import reading_test_data
from equilibria.studies.deblurring.measures import TEST_STEPS, answer, solved
from equilibria.studies.deblurring.recipes import kernel, names
from equilibria.studies.deblurring.records import RECORDS, load
from equilibria.training import default_device
from equilibria.training.records import rounded

__all__ = ["LATE_COUNT", "LATE_STEPS", "TEST_SIZE", "evaluate", "evaluate_all", "test_set"]

TEST_SIZE = 128  # pixels per side of a test crop
LATE_STEPS = 300  # a much later t at which an equilibrium must still be there
LATE_COUNT = 40  # the number of test crops on which that is measured
_BATCH = 8  # test crops at a time
_NOT_RECORDED = ("denoiser", "unrolled-pgd")  # they restore no photograph of the tables


def evaluate_all(*, profile: str, minutes: float | None = None, device: str | None = None) -> bool:
    """Record every finished model whose record is missing or belongs to other weights.

    minutes  begin no other model after this long
    device   None: a GPU where there is one

    Returns True when all records are there. Raises `DataError` where the data set is missing.
    """
    return RECORDS.record(
        [name for name in names(profile) if name not in _NOT_RECORDED],
        evaluate,
        profile=profile,
        minutes=minutes,
        device=device or default_device(),
        describe=_describe,
    )


def _describe(record: dict[str, Any]) -> str:
    psnr = record["psnr"]
    return f"{sum(psnr) / len(psnr):.2f} dB on {len(psnr)} test crops"


def test_set(profile: str = "quick") -> tuple[Tensor, Tensor]:
    """(truth, x), (200, 3, 128, 128) each: one crop of each of BSDS500's test photographs.

    They are the same for every model and seed. Raises `SplitError` while a training runs.
    """
    reading_test_data("the test crops of BSDS500")
    truth = images.crops(images.bsds500("test"), size=TEST_SIZE, seed=1)
    generator = torch.Generator().manual_seed(1)
    return truth, images.measure(truth, Blur(kernel(profile)), generator=generator)


@torch.no_grad()
def evaluate(
    name: str, *, seed: int, profile: str = "quick", count: int | None = None, device: str = "cpu"
) -> dict[str, Any]:
    """The record of a finished model on the first ``count`` crops of `test_set`; None takes all.

    psnr, ssim  of the model's `answer`, one per image
    blurred     mean PSNR in dB of the measurements

    An implicit model's record also has:

    success, steps  whether `solved` reaches the equilibrium, and in how many evaluations of G
    late            PSNR in dB of y_300 on the first LATE_COUNT crops
    """
    model, card = load(name, seed=seed, profile=profile)
    model.to(device)
    truth, x = test_set(profile)
    truth, x = truth[:count], x[:count]
    batches = [x[i : i + _BATCH].to(device) for i in range(0, len(x), _BATCH)]
    y = torch.cat([answer(model, batch).cpu() for batch in batches])
    record: dict[str, Any] = {
        "name": name,
        "seed": seed,
        "profile": profile,
        "blurred": images.psnr(x, truth).mean().item(),
        "sha256": card["sha256"],
        "parameters": card["parameters"],
        "train_seconds": card["seconds"],
        "psnr": rounded(images.psnr(y, truth)),
        "ssim": rounded(images.ssim(y, truth)),
    }
    if isinstance(model, DeblurringOperator):
        solutions = [solved(model, batch) for batch in batches]
        record["steps"] = torch.cat([solution.steps for solution in solutions]).tolist()
        record["success"] = torch.cat([solution.success for solution in solutions]).tolist()
        record["late"] = _psnr_late(model, y, truth, x, device)
    return record


def _psnr_late(
    model: DeblurringOperator, y: Tensor, truth: Tensor, x: Tensor, device: str
) -> list[float]:
    """PSNR in dB of y_300 on the first LATE_COUNT images, continued from y = y_100."""
    psnr = []
    for first in range(0, min(len(x), LATE_COUNT), _BATCH):
        part = slice(first, min(first + _BATCH, LATE_COUNT))
        y_100, x_part = y[part].to(device), x[part].to(device)
        *_, y_300 = trajectory(model, y_100, x_part, LATE_STEPS - TEST_STEPS)
        psnr += rounded(images.psnr(y_300.cpu(), truth[part]))
    return psnr
