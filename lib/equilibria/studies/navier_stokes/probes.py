"""What takes minutes to find out about a finished model on the test flows; `evaluation` calls it.

Changes of forcing are of the flows' own kind (``pressure`` of `flow_equation.linearised`): in the
regime ``published`` they keep their gradient part.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from equilibria import lipschitz
from equilibria.operators.fourier import ExplicitFNO, ImplicitFNO
from equilibria.problems.flow_data import FORCINGS, Flows
from equilibria.problems.flow_equation import local_constant
from equilibria.problems.flow_grid import resample
from equilibria.solvers import trajectory
from equilibria.studies.navier_stokes.bounded import BOUND, in_network_units
from equilibria.studies.navier_stokes.measures import (
    local_along_t,
    predictions_along_t,
    relative_error,
    solved,
)
from equilibria.studies.navier_stokes.protocols import (
    lipschitz_along_t,
    perturbations,
    physical_directions,
    released_lipschitz,
)
from equilibria.studies.navier_stokes.recipes import Declared, Model
from equilibria.training.records import rounded
from equilibria.training.visits import iterate_freely

__all__ = ["LOCAL_FLOWS", "LOCAL_T", "bounded", "local", "one_place", "waves"]

# iterations t at which true local constants are recorded, and at how many test flows
LOCAL_T = (1, 2, 4, 8, 16, 32, 64, 128)
LOCAL_FLOWS = 10
WAVE_FLOWS, WAVE_STEPS = 200, 128  # of Fig. 4
_REST = 100  # iterations after which Picard's iteration has ended
_BATCH = 20  # flows that are computed at once
_SHOWN = 3  # flows whose decision is recorded along t
_LOCAL_BATCH = 5  # flows at once, since the graph of 128 iterations is large
_GRID = 32  # points per side on which local constants are measured, since flows are smooth


def _has_pressure(what: Declared) -> bool:
    return what.regime != "published"


def _few(flows: Flows, count: int) -> Flows:
    n = min(_GRID, flows.vorticity.shape[-1])
    forcing, vorticity = (resample(part[:count], n) for part in (flows.forcing, flows.vorticity))
    return Flows(forcing, vorticity, flows.drawn)


# ------------------------------------------------------------------------------- true constants
def local(model: Model, flows: Flows, what: Declared, device: str) -> dict[str, Any]:
    """True local constants at the first LOCAL_FLOWS flows, on 32 x 32 points.

    t         the iterations, LOCAL_T; 1 for an explicit model
    all       |dy_t/df| over all directions df, one row per t, one column per flow
    physical  the same over the directions that keep the flow steady (`physical_directions`)
    settled   whether the power iterations behind ``all`` and ``physical`` settled
    map       the local constants of the physical map forcing -> vorticity
    """
    few = _few(flows, LOCAL_FLOWS)
    times = LOCAL_T[:1] if isinstance(model, ExplicitFNO) else LOCAL_T
    pressure = _has_pressure(what)
    record: dict[str, Any] = {"t": list(times), "settled": []}
    spans = physical_directions(few.vorticity, what.viscosity, pressure=pressure)
    for key, directions in (("all", None), ("physical", spans.float())):
        columns = []
        for part in torch.split(torch.arange(len(few)), _LOCAL_BATCH):
            value, settled = local_along_t(
                model,
                few.forcing[part].float().to(device),
                times,
                directions=None if directions is None else directions[part].to(device),
                tol=0.03,
            )
            columns.append(value)
            record["settled"] += settled.flatten().tolist()
        record[key] = [rounded(row) for row in torch.cat(columns, 1)]
    record["map"] = rounded(
        local_constant(few.vorticity, what.viscosity, largest=8, pressure=pressure)
    )
    return record


# ------------------------------------------------------------------------------- places of rest
@torch.no_grad()
def one_place(
    model: ImplicitFNO, flows: Flows, device: str, *, seed: int
) -> dict[str, list[float]]:
    """Per flow, |y_T' - y_T| / |y_T|: how far from y_T of z_0 = 0 it ends from elsewhere.

    From noise as in training, from noise five times as large, and from Anderson's answer.
    """
    generator = torch.Generator().manual_seed(seed)
    apart: dict[str, list[float]] = {"noise": [], "strong noise": [], "Anderson": []}
    for x in torch.split(flows.forcing.float(), _BATCH):
        x = x.to(device)
        q = model.encode(x)
        zero = model.start(q)
        noise = torch.randn(zero.shape, generator=generator).to(zero)
        starts = {"noise": noise, "strong noise": 5 * noise, "Anderson": solved(model, x).y}
        y = model.decode(iterate_freely(model, zero, q, _REST))
        for start, z in starts.items():
            elsewhere = model.decode(iterate_freely(model, z, q, _REST))
            apart[start] += rounded(relative_error(elsewhere, y))
    return apart


# ---------------------------------------------------------------------------------------- Fig. 4
@torch.no_grad()
def waves(model: ImplicitFNO, flows: Flows, what: Declared, device: str) -> dict[str, Any]:
    """Fig. 4 by both protocols for t = 1, ..., WAVE_STEPS, on the first WAVE_FLOWS test flows.

    waves     corrected    L_t, the largest ratio over flows and waves
              as_released  the same as released, in units of the data set's standard deviations
              map          the largest |dw| / |df| of the physical map in the corrected waves
              error, std   mean and standard deviation of the error over clean and perturbed runs
    decision  between w and -w:
              changed      share of flows whose y_t is nearer to -w at some t, and to w at last
              wrong        share of flows whose y_t is nearer to -w, along t
              flows        of the flows that end nearer to w, those with the highest corrected
                           peaks: index, and along t the error against w (right) and -w (opposite),
                           and the largest ratio |dy_t| / |df| (corrected)
    """
    found: dict[str, list[Tensor]] = {}
    forcing, vorticity = flows.forcing[:WAVE_FLOWS], flows.vorticity[:WAVE_FLOWS]
    scales = forcing.std().item(), vorticity.std().item()
    batches = zip(torch.split(forcing, _BATCH), torch.split(vorticity, _BATCH), strict=True)
    for f, w in batches:
        for key, part in _along_t(model, f.to(device), w.to(device), what, scales).items():
            found.setdefault(key, []).append(part.cpu())
    last = {key: torch.cat(parts, -1) for key, parts in found.items()}
    wrong = last["opposite"] < last["right"]
    return {
        "waves": {
            "corrected": rounded(last["corrected"].amax(1)),
            "as_released": rounded(last["released"].amax(1)),
            "map": round(last["map"].max().item(), 4),
            "error": rounded(last["error"].mean(1)),
            "std": rounded(last["error"].std(1)),
        },
        "decision": {
            "changed": (wrong.any(0) & ~wrong[-1]).double().mean().item(),
            "wrong": rounded(wrong.double().mean(1)),
            "flows": [
                {
                    "index": index,
                    "right": rounded(last["right"][:, index]),
                    "opposite": rounded(last["opposite"][:, index]),
                    "ratio": rounded(last["corrected"][:, index]),
                }
                for index in torch.where(wrong[-1], 0, last["corrected"].amax(0))
                .topk(_SHOWN)
                .indices.tolist()
            ],
        },
    }


def _along_t(
    model: ImplicitFNO, f: Tensor, w: Tensor, what: Declared, scales: tuple[float, float]
) -> dict[str, Tensor]:
    """What `waves` condenses, of some flows: (steps, flows or runs) each, ``map`` (flows,)."""
    pressure, steps = _has_pressure(what), WAVE_STEPS
    corrected, error = lipschitz_along_t(
        model, w, f, steps=steps, viscosity=what.viscosity, pressure=pressure
    )
    released = released_lipschitz(model, w, f, steps=steps, scales=scales)
    dw, df = perturbations(w, what.viscosity, pressure=pressure)
    of_map = dw.flatten(1).norm(dim=1) / df.flatten(2).norm(dim=2)  # (flows, waves)
    opposite = [
        relative_error(y, -w.float()) for y in predictions_along_t(model, f.float(), steps=steps)
    ]
    return {
        "corrected": corrected.amax(1),
        "released": released.amax(1),
        "map": of_map.amax(1),
        "error": error.flatten(1),
        "right": error[:, 0],
        "opposite": torch.stack(opposite),
    }


# ------------------------------------------------------------------------------- the bounded pair
def bounded(model: Model, flows: Flows, what: Declared, device: str) -> dict[str, Any]:
    """What a network of the bounded pair does, on test flows w and on their opposites -w.

    Slopes are in the units that the networks see.

    bound        L
    error        mean error, at each t of LOCAL_T of an implicit model
    slope        local constants of y at the first LOCAL_FLOWS flows, over the physical directions,
                 one row per t
    map          those of the physical map
    operator     the largest slope of what the bound was asked of: of the explicit network, or of
                 decode(G(z_t, encode(f))) in f at the states z_t, t in {0, 1, ...} of LOCAL_T
    least_error  the least mean error over all flows and their opposites of any function whose
                 slope is at most L everywhere: |F(f) - F(f')| - L |f - f'| has to be missed
    """
    few = _few(flows, LOCAL_FLOWS)
    scale = model.output_scale / model.input_scale
    spans = physical_directions(few.vorticity, what.viscosity, pressure=False).float()
    explicit = isinstance(model, ExplicitFNO)
    times = LOCAL_T[:1] if explicit else LOCAL_T
    slope, operator = [], 0.0
    for part in torch.split(torch.arange(len(few)), _LOCAL_BATCH):
        x = few.forcing[part].float().to(device)
        value, _ = local_along_t(model, x, times, directions=spans[part].to(device), tol=0.03)
        slope.append(value / scale)
        for z in _states(model, x):
            steepest = lipschitz.local(
                in_network_units(model, z),
                x / model.input_scale,
                max_steps=100,
                tol=0.01,
                throw=False,
            )
            operator = max(operator, steepest.max().item())
    opposite = FORCINGS[what.regime](-flows.vorticity, what.viscosity)
    both = Flows(
        torch.cat([flows.forcing, opposite]), torch.cat([flows.vorticity, -flows.vorticity]), 0
    )
    size = flows.vorticity.flatten(1).norm(dim=1)
    between = (flows.forcing - opposite).flatten(1).norm(dim=1)
    # over w and -w together: half of what is missed is the least mean of the two errors
    least = (1 - BOUND * scale * between / (2 * size)).clamp_min(0)
    return {
        "bound": BOUND,
        "t": list(times),
        "error": _mean_errors(model, both, times, device),
        "slope": [rounded(row) for row in torch.cat(slope, 1)],
        "map": rounded(
            local_constant(few.vorticity, what.viscosity, largest=8, pressure=False) / scale
        ),
        "operator": round(operator, 4),
        "least_error": round(least.mean().item(), 5),
    }


def _states(model: Model, x: Tensor) -> list[Tensor | None]:
    """The states at which the slope of an implicit model's operator is measured."""
    if isinstance(model, ExplicitFNO):
        return [None]
    with torch.no_grad():
        q = model.encode(x)
        visited = [model.start(q), *trajectory(model, model.start(q), q, LOCAL_T[-1])]
    return [visited[t] for t in (0, *LOCAL_T)]


@torch.no_grad()
def _mean_errors(model: Model, flows: Flows, times: tuple[int, ...], device: str) -> list[float]:
    rows = []
    forcing = torch.split(flows.forcing.float(), _BATCH)
    vorticity = torch.split(flows.vorticity.float(), _BATCH)
    for x, y in zip(forcing, vorticity, strict=True):
        x, y = x.to(device), y.to(device)
        if isinstance(model, ExplicitFNO):
            rows.append(relative_error(model(x), y)[None])
            continue
        wanted = dict.fromkeys(times)
        predictions = enumerate(predictions_along_t(model, x, steps=times[-1]), 1)
        kept = [relative_error(y_t, y) for t, y_t in predictions if t in wanted]
        rows.append(torch.stack(kept))
    return rounded(torch.cat(rows, 1).mean(1), 6)
