"""What finished models do on the test flows, recorded beside their weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from equilibria.operators.fourier import ImplicitFNO
from equilibria.problems.flow_data import FORCINGS, Flows
from equilibria.solvers import trajectory
from equilibria.studies.navier_stokes.measures import (
    answer,
    radius_at_rest,
    relative_error,
    solved,
)
from equilibria.studies.navier_stokes.probes import bounded, local, one_place, waves
from equilibria.studies.navier_stokes.recipes import (
    RECORDS,
    Declared,
    Model,
    declared,
    load,
    names,
    test_set,
)
from equilibria.studies.navier_stokes.surveys import record_survey
from equilibria.training import default_device
from equilibria.training.records import header, rounded

__all__ = ["ALONG", "SPEEDS", "at_speed", "evaluate", "evaluate_all"]

# iterations t of Picard at which the error is recorded
ALONG = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 50, 100, 200)
SPEEDS = (0.3, 0.4, 0.5, 0.6, 0.7)  # largest speeds at which the test flows are seen again
SPEED_FLOWS = 200  # of them
_SPEED = 0.5  # theirs
_BATCH = 20  # flows that are computed at once


def evaluate_all(*, profile: str, minutes: float | None = None, device: str | None = None) -> bool:
    """Record every finished model whose record is missing or belongs to other weights.

    In the profile ``quick`` the survey of the flows follows. Returns True when all records are
    there; False when the time limit ended it, and the same call goes on.
    """
    device = device or default_device()
    complete = RECORDS.record(
        names(profile),
        evaluate,
        profile=profile,
        minutes=minutes,
        device=device,
        describe=_summary,
    )
    if complete and profile == "quick":
        record_survey()
    return complete


def _summary(record: dict[str, Any]) -> str:
    errors = record["errors"]
    return f"relative error {sum(errors) / len(errors):.4f} on {len(errors)} test flows"


def evaluate(
    name: str, *, seed: int, profile: str = "quick", device: str = "cpu"
) -> dict[str, Any]:
    """What a finished model does on the test flows.

    errors   relative error of its `answer`, per flow
    speeds   of the three main models: mean error of SPEED_FLOWS flows at each of SPEEDS

    and of an implicit model

    along    mean error of Picard's y_t for t in ALONG
    rest     per flow, the relative move |G(z_T) - z_T| / |z_T| at the last of these t
    anderson, steps, success   per flow, of Anderson's method to 1e-3 in 50 evaluations: relative
             error, evaluations, and whether it got there
    radius   per flow, the spectral radius of dG/dz where Picard's iteration ended

    and what `probes` finds out: ``apart``, ``local``, ``waves``, ``decision``, ``bounded``.
    """
    loaded, card = load(name, seed=seed, profile=profile)
    model = loaded.to(device)
    flows = test_set(name, profile=profile, progress=False)
    what = declared(profile)[name]
    record = header(name, seed, profile, card)
    record["errors"] = rounded(torch.cat(_errors(model, flows, device)), 6)
    main = what == Declared(kind=what.kind) and what.kind != "unrolled"
    if main:
        record["speeds"] = [_at_speed(model, flows, what, speed, device) for speed in SPEEDS]
    if isinstance(model, ImplicitFNO):
        record |= _iterated(model, flows, device, measured=what.kind != "unrolled")
    if what.bounded:
        record["bounded"] = bounded(model, flows, what, device)
    elif main and what.kind != "plain":
        record["local"] = local(model, flows, what, device)
    if main and isinstance(model, ImplicitFNO):
        record["apart"] = one_place(model, flows, device, seed=seed)
        record |= waves(model, flows, what, device)
    return record


def at_speed(flows: Flows, what: Declared, speed: float) -> Flows:
    """The test flows of the regime ``published`` at another largest speed."""
    w = speed / _SPEED * flows.vorticity
    return Flows(FORCINGS[what.regime](w, what.viscosity), w, flows.drawn)


def _batches(flows: Flows, device: str) -> list[tuple[Tensor, Tensor]]:
    forcing = torch.split(flows.forcing.float().to(device), _BATCH)
    vorticity = torch.split(flows.vorticity.float().to(device), _BATCH)
    return list(zip(forcing, vorticity, strict=True))


def _errors(model: Model, flows: Flows, device: str) -> list[Tensor]:
    return [relative_error(answer(model, x), y) for x, y in _batches(flows, device)]


def _at_speed(model: Model, flows: Flows, what: Declared, speed: float, device: str) -> float:
    few = Flows(flows.forcing[:SPEED_FLOWS], flows.vorticity[:SPEED_FLOWS], flows.drawn)
    errors = _errors(model, at_speed(few, what, speed), device)
    return round(torch.cat(errors).mean().item(), 6)


@torch.no_grad()
def _iterated(model: ImplicitFNO, flows: Flows, device: str, *, measured: bool) -> dict[str, Any]:
    """``along`` of an implicit model and, if ``measured``, how it comes to rest."""
    along, rest, steps, success, radius = [], [], [], [], []
    anderson: list[float] = []
    for x, y in _batches(flows, device):
        q = model.encode(x)
        errors = []
        for t, z in enumerate(trajectory(model, model.start(q), q, ALONG[-1]), 1):
            if t in ALONG:
                errors.append(relative_error(model.decode(z), y))
        along.append(torch.stack(errors))
        if measured:
            solution = solved(model, x)
            anderson += rounded(relative_error(model.decode(solution.y), y))
            steps += solution.steps.tolist()
            success += solution.success.tolist()
            move, largest = radius_at_rest(model, z, q)
            rest += rounded(move, 7)
            radius += rounded(largest, 4)
    mean = torch.cat(along, 1).mean(1)
    record: dict[str, Any] = {"along": rounded(mean.nan_to_num(1e9, 1e9), 6)}
    if measured:
        record |= {"rest": rest, "radius": radius}
        record |= {"anderson": anderson, "steps": steps, "success": success}
    return record
