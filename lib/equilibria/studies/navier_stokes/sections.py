"""What notebook 03 measures while it runs: one call for each section, a dict for its results.

Fields are rounded to what a picture needs.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from equilibria import lipschitz
from equilibria.operators import steady_flow
from equilibria.operators.fourier import ImplicitFNO
from equilibria.problems import flow_data, flow_equation
from equilibria.problems.flow_data import VISCOSITY, Flows
from equilibria.solvers import Anderson, Method, Picard
from equilibria.studies.navier_stokes.appendices import classical, head_start, other_grids
from equilibria.studies.navier_stokes.evaluation import ALONG, SPEEDS
from equilibria.studies.navier_stokes.measures import (
    answer,
    predictions_along_t,
    relative_error,
    solved,
)
from equilibria.studies.navier_stokes.recipes import Model, load, new, reports, seeds
from equilibria.studies.navier_stokes.summaries import (
    along_t,
    at_rest,
    decisions,
    steepness,
    summary,
    table_5,
)
from equilibria.studies.navier_stokes.surveys import recorded_survey
from equilibria.studies.navier_stokes.trainings import UNROLLED, training_bytes
from equilibria.studies.navier_stokes.visits import VISIT

__all__ = [
    "KINDS",
    "measure_answers",
    "measure_becoming",
    "measure_other_flows",
    "measure_problem",
    "measure_rest",
    "measure_solve",
    "measure_solvers",
    "measure_steepness",
    "measure_table",
    "measure_table_5",
    "measure_two_states",
    "shipped",
]

KINDS = ("plain", "explicit", "implicit")  # networks of equal size
_SHOWN = 4  # flows in a row of pictures
_ELSEWHERE = 0.01  # relative distance from which on a steady flow is another one
_DECIDED = 0.3  # error below which a loop has decided for w
BECOMING = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 32, 64)  # t of the moving picture


def _picture(field: Tensor, digits: int = 4) -> Tensor:
    return field.double().cpu().mul(10**digits).round().div(10**digits)


def _inputs(flows: Flows, model: Model) -> tuple[Tensor, Tensor]:
    """Forcing and vorticity as a network takes them: float32, on its device."""
    device = next(model.parameters()).device
    return flows.forcing.float().to(device), flows.vorticity.float().to(device)


def shipped(profile: str, *, seed: int, device: str) -> tuple[dict[str, Model], dict[str, int]]:
    """The networks of equal size and their seeds: ``seed`` where it is shipped, else 0."""
    models, own = {}, {}
    for kind in KINDS:
        recorded = {row["seed"] for row in reports(kind, profile=profile)}
        own[kind] = seed if seed in recorded & set(seeds(kind, profile=profile)) else 0
        models[kind] = load(kind, seed=own[kind], profile=profile)[0].to(device)
    return models, own


def measure_problem(flows: Flows) -> dict[str, Any]:
    """The flows and what their forcing knows of their sign.

    variances  of forcing and vorticity, and the ``published`` ones
    residual   the largest relative residual of the vorticity equation
    friction   |f(w) - f(-w)| / (2 |f|): what friction makes of the forcing
    flows      pictures of the first ones
    """
    forcing, truth = flows.forcing, flows.vorticity
    friction = (forcing - flow_equation.manufacture_without_pressure(-truth, VISCOSITY)) / 2
    return {
        "variances": {"forcing": forcing.var(), "vorticity": truth.var()},
        "published": flow_data.PUBLISHED_VARIANCES,
        "residual": flow_equation.residual(truth, forcing, VISCOSITY).max(),
        "friction": friction.norm() / forcing.norm(),
        "flows": [
            {
                "curl": _picture(flow_equation.curl(forcing[i : i + 1])[0], 5),
                "truth": _picture(truth[i]),
                "velocity": _velocity(truth[i]),
            }
            for i in range(min(_SHOWN, len(flows)))
        ],
    }


def _velocity(vorticity: Tensor) -> Tensor:
    """(2, n / 2, n / 2), at every other point."""
    return _picture(flow_equation.velocity(vorticity[None])[0, :, ::2, ::2])


def measure_two_states(count: int, n: int, *, seed: int) -> dict[str, Any]:
    """Second steady flows under divergence-free forcings, and what full forcings say of them.

    strong        over ``count`` forcings of the published amplitude on n x n points: the shares
                  ``solved`` from rest and with a ``second`` flow, the largest ``residual_found``
                  of those, and the least relative ``forcing_distance`` of the full forcings
    states        pictures of the first two
    second_share  share of the flows of ``unique`` for which more starts find a second flow
    """
    regime = flow_data.REGIMES["published"]
    generator = torch.Generator().manual_seed(seed)
    full_force, drawn = flow_data.draw(regime, count, n, generator=generator)
    # the solver sees the curl of the forcing alone, and starts at rest
    other, distance = steady_flow.another_state(drawn, VISCOSITY)
    second = other.success & (distance > _ELSEWHERE)
    steady = flow_equation.residual(other.y, full_force, VISCOSITY)
    full_of_other = flow_equation.manufacture_without_pressure(other.y, VISCOSITY)
    apart = relative_error(full_of_other, full_force)
    found = second.nonzero().flatten().tolist()
    survey = recorded_survey()
    return {
        "strong": {
            "solved": other.success.double().mean(),
            "second": second.double().mean(),
            "residual_found": steady[second].max() if found else None,
            "forcing_distance": apart[second].min() if found else None,
        },
        "states": [
            {
                "curl": _picture(flow_equation.curl(full_force[i : i + 1])[0], 5),
                "drawn": _picture(drawn[i]),
                "found": _picture(other.y[i]),
                "full_drawn": _picture(full_force[i, 0], 5),
                "full_found": _picture(full_of_other[i, 0], 5),
                "distance": distance[i],
                "forcing_distance": apart[i],
            }
            for i in found[:2]
        ],
        "second_share": len(survey["second"]) / survey["flows"],
    }


# ------------------------------------------------------------------------------------ one solve
def measure_solve(model: ImplicitFNO, flows: Flows, *, count: int = 8) -> dict[str, Any]:
    """Both solvers on the first flows: residuals per method, and how far ``apart`` they end."""
    x, _ = _inputs(flows, model)
    methods: dict[str, tuple[Method, int]] = {"Anderson": (Anderson(), 200)}
    methods["Picard"] = (Picard(), 100)
    solutions = {
        name: solved(model, x[:count], method=method, max_steps=most, tol=1e-5)
        for name, (method, most) in methods.items()
    }
    with torch.no_grad():
        ends = [model.decode(solution.y) for solution in solutions.values()]
    return {
        "solve": {
            name: [row[torch.isfinite(row) & (row > 0)] for row in solution.residuals]
            for name, solution in solutions.items()
        },
        "apart": relative_error(*ends).max(),
    }


def measure_answers(models: dict[str, Model], flows: Flows) -> dict[str, Any]:
    """Fig. 5, and the error of every flow.

    errors   by kind, per flow
    answers  pictures of the median flow and of the hardest one, by the explicit error
    """
    found, errors = {}, {}
    for name, model in models.items():
        x, y = _inputs(flows, model)
        found[name] = answer(model, x)
        errors[name] = relative_error(found[name], y).cpu()
    order = errors["explicit"].argsort().tolist()
    rows = []
    for which, i in (("median flow", order[len(order) // 2]), ("hard flow", order[-1])):
        row = {
            "which": which,
            "truth": _picture(flows.vorticity[i]),
            "velocity": _velocity(flows.vorticity[i]),
            "curl": _picture(flow_equation.curl(flows.forcing[i : i + 1])[0], 5),
            "error": {name: of_all[i] for name, of_all in errors.items()},
        }
        rows.append(row | {name: _picture(found[name][i]) for name in ("explicit", "implicit")})
    return {"errors": errors, "answers": rows}


def measure_becoming(model: ImplicitFNO, flows: Flows) -> dict[str, Any]:
    """y_t for t in BECOMING of the flow that is decided last, among those that end near w."""
    x, y = _inputs(flows, model)
    path = dict(enumerate(predictions_along_t(model, x, steps=BECOMING[-1]), 1))
    ends_right = relative_error(path[BECOMING[-1]], y) < _DECIDED
    late = torch.where(ends_right, relative_error(path[4], y), 0.0)
    index = int(late.argmax())
    return {
        "index": index,
        "t": BECOMING,
        "fields": [_picture(path[t][index], 3) for t in BECOMING],
        "error": [relative_error(path[t], y)[index] for t in BECOMING],
        "truth": _picture(flows.vorticity[index], 3),
    }


# ------------------------------------------------------------------------------------ the tables
def measure_table(
    errors: dict[str, Tensor], published: dict[str, float], *, profile: str, seeds: dict[str, int]
) -> dict[str, Any]:
    """The errors over all seeds, beside those of the first flows, computed again.

    errors       by kind, per flow, of the models with ``seeds``
    table        by kind: `summary`, and the ``published`` error of the paper's network
    ratio, plain_ratio, unique_ratio   implicit over explicit, over plain, and in ``unique``
    per_flow     the recorded errors of one seed
    worse        share of flows on which the implicit network is worse than the explicit one
    asked_again  largest difference to the recorded errors
    """
    records = {kind: reports(kind, profile=profile) for kind in KINDS}
    # the published explicit network has no injection: it is the plain one
    theirs = {"plain": published["explicit"], "explicit": None, "implicit": published["implicit"]}
    table = {kind: summary(records[kind]) | {"published": theirs[kind]} for kind in KINDS}
    per_flow = {
        kind: torch.tensor(
            next(row["errors"] for row in records[kind] if row["seed"] == seeds[kind])
        )
        for kind in KINDS
    }
    again = [(errors[kind] - per_flow[kind][: len(errors[kind])]).abs().max() for kind in KINDS]
    weak = [summary(reports(f"{kind}-unique", profile=profile)) for kind in KINDS[1:]]
    return {
        "table": table,
        "ratio": table["implicit"]["error"] / table["explicit"]["error"],
        "plain_ratio": table["implicit"]["error"] / table["plain"]["error"],
        "unique_ratio": weak[1]["error"] / weak[0]["error"],
        "per_flow": per_flow,
        "worse": (per_flow["implicit"] > per_flow["explicit"]).double().mean(),
        "asked_again": torch.stack(again).max(),
    }


def measure_table_5(flows: Flows, model: ImplicitFNO, *, profile: str) -> dict[str, Any]:
    """`table_5` with weights and training memory (MB) of one flow in each row.

    long_memory   that of the implicit network, where it makes 50 iterations without gradient
    """
    x, y = _inputs(flows, model)
    rows = table_5(profile)
    for row in rows:
        network = new(row["name"], profile=profile).to(x.device)
        row["memory"] = training_bytes(network, x[:1], y[:1]) / 1e6
        row["parameters"] = sum(p.numel() for p in network.parameters())
    return {"table_5": rows, "long_memory": training_bytes(model, x[:1], y[:1], free=50) / 1e6}


def measure_steepness(*, profile: str) -> dict[str, Any]:
    """Fig. 4 from the records.

    steepness, decision  `steepness` and `decisions`
    local_growth         by seed, the largest true constant at the last t over that at t = 1
    local_ratio          by seed, true constants at the last t over those of the physical map
    """
    implicit = reports("implicit", profile=profile)
    found = steepness(implicit, reports("explicit", profile=profile))
    growth, ratio = [], []
    for local in found["local"]:
        every, physical = torch.tensor(local["all"]), torch.tensor(local["physical"])
        growth.append(every[-1].max() / every[0].max())
        ratio.append(physical[-1] / torch.tensor(local["map"]))
    return {
        "steepness": found,
        "local_growth": growth,
        "local_ratio": ratio,
        "decision": decisions(implicit),
    }


# ------------------------------------------------------------------------------------- at rest
def measure_rest(
    model: ImplicitFNO, flows: Flows, *, profile: str, count: int = 10
) -> dict[str, Any]:
    """Far beyond training: errors along t, places of rest, and the trap.

    rest, rests, one_place   `at_rest`
    rise                     how far the end of the error along t is above its best, by seed
    far                      errors along t of the implicit network and of the trap
    trap                     ``fall``: end over best of the trap
    regularity               ``mu``: the norm of dG/dz at rest on ``count`` flows; ``rate``: the
                             largest spectral radius, by seed
    """
    implicit = reports("implicit", profile=profile)
    along, rest = along_t(implicit), at_rest(implicit)
    unrolled = [row["along"] for row in reports("unrolled", profile=profile)]
    x, _ = _inputs(flows, model)
    z = solved(model, x[:count], method=Picard(), max_steps=ALONG[-1], tol=1e-6).y
    with torch.no_grad():
        q = model.encode(x[:count])
    mu = lipschitz.local(lambda z: cast(Tensor, model(z, q)), z, max_steps=300, tol=0.05)
    return {
        "rest": rest,
        "rests": rest["rests"],
        "one_place": rest["one_place"],
        "rise": along["rise"],
        "far": {
            "t": ALONG,
            "implicit": along["mean"],
            "unrolled": unrolled[0] if unrolled else None,
            "unrolled_steps": UNROLLED,
            "visit": VISIT,
            "explicit": summary(reports("explicit", profile=profile))["error"],
            "flows": len(implicit[0]["errors"]),
        },
        "trap": {"fall": unrolled[0][-1] / min(unrolled[0]) if unrolled else None},
        "regularity": {"mu": mu, "rate": rest["radius"]},
    }


# ----------------------------------------------------------------------------------- appendices
def measure_solvers(
    models: dict[str, Model], flows: Flows, *, seed: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(`classical` and `head_start`, without what a clock says; the clock's part of the latter)."""
    rows = head_start(models, flows)
    clock = ("seconds", "network_seconds", "error")
    kept = ("steps", "right", "solved", "error")
    measured = {
        "classical": classical(seed=seed),
        "head_start": {name: {key: row[key] for key in kept} for name, row in rows.items()},
    }
    return measured, {name: {key: row[key] for key in clock} for name, row in rows.items()}


def measure_other_flows(
    models: dict[str, Model], flows: Flows, grids: list[int], *, profile: str
) -> dict[str, Any]:
    """The pair on other grids, and at other speeds (from the records).

    resolution, speed   ``values``, and errors by kind
    away                implicit over explicit error at each speed
    """
    speed: dict[str, Any] = {"values": SPEEDS}
    for name in models:
        of_seeds = torch.tensor([row["speeds"] for row in reports(name, profile=profile)])
        speed[name] = of_seeds.mean(0)
    return {
        "resolution": {"values": grids} | other_grids(models, flows, grids),
        "speed": speed,
        "away": speed["implicit"] / speed["explicit"],
    }
