"""The error of Picard's y_t along t over all test flows, recorded (paper, Fig. 4).

The records are `test/along-seedN.json`, one per seed of ``implicit`` whose weights are there.
They are kept apart from the records of models, since `evaluate` looks at fewer flows along t.
"""

from __future__ import annotations

import json
import time
from typing import cast

import torch

from equilibria import checkpoints
from equilibria.files import write_atomically
from equilibria.operators.fourier import ImplicitFNO
from equilibria.studies.navier_stokes.measures import errors_along_t
from equilibria.studies.navier_stokes.recipes import RECORDS, load, test_set
from equilibria.training.records import STOPPED, Record, header, rounded

__all__ = ["ALONG", "curve", "record_curves"]

# iterations t of Picard at which the error is recorded
ALONG = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 50, 100, 200)
_NAME = "along"
_MODEL = "implicit"
_BATCH = 20  # flows that are computed at once


def record_curves(*, profile: str, minutes: float | None, device: str) -> bool:
    """Record `curve` for each seed of ``implicit`` that has weights and no record of them.

    No curve is begun once ``minutes`` are over. Returns whether all records are there.
    """
    begun = time.monotonic()
    for seed in RECORDS.seeds(_MODEL, profile=profile):
        if not _is_missing(seed, profile):
            continue
        if minutes is not None and time.monotonic() - begun > 60 * minutes:
            print(STOPPED)
            return False
        record = curve(seed=seed, profile=profile, device=device)
        path = RECORDS.record_path(_NAME, seed=seed, profile=profile)
        write_atomically(path, json.dumps(record) + "\n")
        last = f"{record['mean'][-1]:.4f} at t = {record['t'][-1]}"
        print(
            f"{_NAME} seed {seed}: relative error {last}, {record['flows']} test flows", flush=True
        )
    return True


def _is_missing(seed: int, profile: str) -> bool:
    """Whether the weights are there but their curve is not."""
    if not RECORDS.has_weights(_MODEL, seed=seed, profile=profile):
        return False
    path = RECORDS.record_path(_NAME, seed=seed, profile=profile)
    if not path.exists():
        return True
    card = checkpoints.read_card(RECORDS.stem(_MODEL, seed=seed, profile=profile))
    return bool(json.loads(path.read_text())["sha256"] != card["sha256"])


@torch.no_grad()
def curve(*, seed: int, profile: str = "quick", device: str = "cpu") -> Record:
    """The mean error of Picard's y_t, z_0 = 0, over all test flows.

    t      the iterations, `ALONG`
    mean   mean relative error at each of them
    flows  number of test flows
    """
    loaded, card = load(_MODEL, seed=seed, profile=profile)
    model = cast(ImplicitFNO, loaded).to(device)
    flows = test_set(_MODEL, profile=profile, progress=False)
    forcing = torch.split(flows.forcing.float(), _BATCH)
    vorticity = torch.split(flows.vorticity.float(), _BATCH)
    at_times = [t - 1 for t in ALONG]
    errors = []
    for x, y in zip(forcing, vorticity, strict=True):
        curves = errors_along_t(model, x.to(device), y.to(device), steps=ALONG[-1])
        errors.append(curves[at_times].cpu())
    mean = torch.cat(errors, 1).mean(1).nan_to_num(1e9, 1e9)
    return header(_MODEL, seed, profile, card) | {
        "t": list(ALONG),
        "mean": rounded(mean, 6),
        "flows": len(flows),
    }
