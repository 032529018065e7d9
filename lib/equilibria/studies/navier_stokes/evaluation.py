"""What finished models do on the test flows, recorded beside their weights."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import torch
from torch import Tensor

from equilibria.operators.fourier import ExplicitFNO, ImplicitFNO
from equilibria.problems.flow_grid import resample
from equilibria.studies.navier_stokes.curves import ALONG, record_curves
from equilibria.studies.navier_stokes.measures import (
    errors_along_t,
    local_along_t,
    predictions_along_t,
    relative_error,
    solved,
)
from equilibria.studies.navier_stokes.recipes import RECORDS, Model, load, names, test_set
from equilibria.studies.navier_stokes.surveys import record_survey
from equilibria.training import default_device
from equilibria.training.records import header, rounded

__all__ = ["ALONG_FLOWS", "LOCAL_FLOWS", "LOCAL_T", "evaluate", "evaluate_all", "probe"]

ALONG_FLOWS = 60  # test flows of each model's own error along t; `curves` takes all flows
# iterations t at which true local constants are recorded, and at how many test flows
LOCAL_T = (1, 2, 4, 8, 16, 32, 64, 128)
LOCAL_FLOWS = 3
_REST = 100  # iterations after which Picard's iteration has ended
_BATCH = 20  # flows that are computed at once


def evaluate_all(*, profile: str, minutes: float | None = None, device: str | None = None) -> bool:
    """Record every finished model whose record is missing or belongs to other weights.

    Error curves over all test flows follow (`record_curves`) and, in the profile ``quick``, the
    survey of the flows. Returns True when all records are there; False when the time limit ended
    it, and the same call goes on.
    """
    begun = time.monotonic()
    device = device or default_device()
    complete = RECORDS.record(
        names(profile),
        _everything,
        profile=profile,
        minutes=minutes,
        device=device,
        describe=_summary,
    )
    if not complete:
        return False
    left = None if minutes is None else minutes - (time.monotonic() - begun) / 60
    complete = record_curves(profile=profile, minutes=left, device=device)
    if complete and profile == "quick":
        record_survey()
    return complete


def _everything(name: str, *, seed: int, profile: str, device: str) -> dict[str, Any]:
    """`evaluate`, and for the two models of the comparison also `probe`."""
    record = evaluate(name, seed=seed, profile=profile, device=device)
    if name.startswith(("implicit", "explicit")):
        record |= probe(name, seed=seed, profile=profile, device=device)
    return record


def _summary(record: dict[str, Any]) -> str:
    errors = record["errors"]
    return f"relative error {sum(errors) / len(errors):.4f} on {len(errors)} test flows"


@torch.no_grad()
def evaluate(
    name: str, *, seed: int, profile: str = "quick", count: int | None = None, device: str = "cpu"
) -> dict[str, Any]:
    """What a finished model does on the first ``count`` (None: all) test flows.

    errors   relative error of its `answer`, per flow
    success  of an implicit model: whether Anderson's method reached the equilibrium, per flow
    steps    of an implicit model: in how many evaluations, per flow
    along    of an implicit model: mean error of Picard's y_t for t in ALONG, on ALONG_FLOWS flows
    """
    model, card = load(name, seed=seed, profile=profile)
    model.to(device)
    flows = test_set(name, profile=profile, count=count, progress=False)
    forcing = torch.split(flows.forcing.float().to(device), _BATCH)
    vorticity = torch.split(flows.vorticity.float().to(device), _BATCH)
    record = header(name, seed, profile, card)
    record["errors"] = []
    if isinstance(model, ExplicitFNO):
        for x, y in zip(forcing, vorticity, strict=True):
            record["errors"] += rounded(relative_error(model(x), y), 6)
        return record
    record |= {"steps": [], "success": []}
    along: list[Tensor] = []
    for x, y in zip(forcing, vorticity, strict=True):
        solution = solved(model, x)
        record["errors"] += rounded(relative_error(model.decode(solution.y), y), 6)
        record["steps"] += solution.steps.tolist()
        record["success"] += solution.success.tolist()
        if _BATCH * len(along) < ALONG_FLOWS:
            curve = errors_along_t(model, x, y, steps=ALONG[-1])
            along.append(curve[[t - 1 for t in ALONG]])
    mean = torch.cat(along, 1).mean(1)
    record["along"] = rounded(mean.nan_to_num(1e9, 1e9), 6)
    return record


@torch.no_grad()
def probe(
    name: str, *, seed: int, profile: str = "quick", count: int | None = None, device: str = "cpu"
) -> dict[str, Any]:
    """What takes minutes to find out about a finished model, on the first ``count`` test flows.

    local   {t, value, settled} of `local_along_t` at the first LOCAL_FLOWS flows for t in LOCAL_T,
            or t = 1 of an explicit model; on 32 x 32 points, since the flows are smooth
    picard  of an implicit model: relative error per flow of y_T from z_0 = 0, T = _REST
    apart   of an implicit model: per flow, how far from it y_T ends from elsewhere,
            |y_T' - y_T| / |y_T|: from noise as in training, from noise five times as large, and
            from Anderson's answer
    """
    model = load(name, seed=seed, profile=profile)[0].to(device)
    flows = test_set(name, profile=profile, count=count, progress=False)
    record: dict[str, Any] = {"local": _local_record(model, flows.forcing, device)}
    if isinstance(model, ExplicitFNO):
        return record
    generator = torch.Generator().manual_seed(seed)
    picard: list[float] = []
    apart: dict[str, list[float]] = {"noise": [], "strong noise": [], "Anderson": []}
    forcing = torch.split(flows.forcing.float(), _BATCH)
    vorticity = torch.split(flows.vorticity.float(), _BATCH)
    for x, w in zip(forcing, vorticity, strict=True):
        x, w = x.to(device), w.to(device)
        y = _last_prediction(model, x, None)
        picard += rounded(relative_error(y, w))
        shape = model.start(model.encode(x)).shape
        noise = torch.randn(shape, generator=generator).to(device)
        starts = {"noise": noise, "strong noise": 5 * noise, "Anderson": solved(model, x).y}
        for start, z in starts.items():
            apart[start] += rounded(relative_error(_last_prediction(model, x, z), y))
    return record | {"picard": picard, "apart": apart}


def _local_record(model: Model, forcing: Tensor, device: str) -> dict[str, Any]:
    few = resample(forcing[:LOCAL_FLOWS], min(32, forcing.shape[-1])).float().to(device)
    times = LOCAL_T[:1] if isinstance(model, ExplicitFNO) else LOCAL_T
    value, settled = local_along_t(model, few, times, max_steps=80, tol=0.02)
    return {
        "t": list(times),
        "value": [rounded(row) for row in value],
        "settled": settled.tolist(),
    }


def _last_prediction(model: ImplicitFNO, x: Tensor, start: Tensor | None) -> Tensor:
    return deque(predictions_along_t(model, x, steps=_REST, start=start), maxlen=1)[0]
