"""Tables 3-4 from the records of `evaluation`, and whether a record comes out again."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from equilibria.studies.deblurring.evaluation import evaluate
from equilibria.studies.deblurring.records import reports

__all__ = ["recomputed_difference", "summary"]


def summary(records: list[dict[str, Any]], *, published: float) -> dict[str, Any]:
    """One model's row of the table, from its records, one per seed.

    psnr, ssim           means over images and seeds
    spread, ssim_spread  standard deviation over seeds of the mean; None for one seed
    std                  standard deviation of the PSNR over images
    seeds, parameters    how many records there are, and how many weights the model has
    published            the paper's PSNR in dB
    success              share of the images that were solved; None for an explicit model

    For an implicit model also the change of the PSNR in dB from t = 100 to t = 300:
    late_change (mean), late_worst (least) and late_crops (on how many crops).
    """
    psnr, ssim = _column(records, "psnr"), _column(records, "ssim")
    several = len(records) > 1
    row = {
        "psnr": psnr.mean(),
        "spread": psnr.mean(1).std() if several else None,
        "std": psnr.std(1).mean(),
        "ssim": ssim.mean(),
        "ssim_spread": ssim.mean(1).std() if several else None,
        "seeds": len(records),
        "parameters": records[0]["parameters"],
        "published": published,
        "success": None,
    }
    if "success" in records[0]:
        row["success"] = _column(records, "success").double().mean()
    if "late" in records[0]:
        late = _column(records, "late")
        change = late - psnr[:, : late.shape[1]]
        row["late_change"] = change.mean()
        row["late_worst"] = change.min()
        row["late_crops"] = change.shape[1]
    return row


def recomputed_difference(
    name: str, *, seed: int, profile: str, device: str, count: int = 4
) -> float:
    """Evaluate ``count`` test crops again: the largest difference in PSNR from the record, in dB.

    Raises `ImageError` where BSDS500 is missing.
    """
    again = evaluate(name, seed=seed, profile=profile, count=count, device=device)["psnr"]
    (recorded,) = (row for row in reports(name, profile=profile) if row["seed"] == seed)
    differences: list[float] = [
        abs(here - there) for here, there in zip(again, recorded["psnr"][:count], strict=True)
    ]
    return max(differences)


def _column(records: list[dict[str, Any]], key: str) -> Tensor:
    """One row per record, one column per image."""
    return torch.tensor([record[key] for record in records])
