"""Records of several seeds, viscosities and sizes condensed to what notebook 03 shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from equilibria.problems.flow_data import VISCOSITY
from equilibria.studies.navier_stokes.recipes import DEPTHS, VISCOSITIES, WIDTHS, declared, reports

__all__ = [
    "SAME_PLACE",
    "along_t",
    "at_rest",
    "bounded_pair",
    "by_viscosity",
    "decisions",
    "mean_error",
    "places",
    "steepness",
    "summary",
    "table_5",
]

Record = dict[str, Any]
SAME_PLACE = 0.01  # relative distance below which two iterations have ended at one answer
_RESTS = 1e-4  # relative move below which Picard's iteration has come to rest


def mean_error(record: Record) -> float:
    """The mean test error of one record."""
    return sum(record["errors"]) / len(record["errors"])


def summary(records: Sequence[Record]) -> dict[str, Any]:
    """The test error of one model over its seeds, as Table 5 gives it.

    error       mean over flows and seeds
    spread      standard deviation over seeds of the mean over flows; None for one seed
    std         mean over seeds of the standard deviation over flows
    by_seed     mean over flows, per seed
    seconds     of training, mean over seeds
    """
    errors = torch.tensor([record["errors"] for record in records])
    by_seed = errors.mean(1)
    return {
        "error": errors.mean(),
        "spread": by_seed.std() if len(records) > 1 else None,
        "std": errors.std(1).mean(),
        "seeds": len(records),
        "parameters": records[0]["parameters"],
        "by_seed": by_seed,
        "seconds": sum(record["train_seconds"] for record in records) / len(records),
    }


def table_5(profile: str) -> list[dict[str, Any]]:
    """Table 5: one row per model in the paper's order, with ``error`` None where it was not run.

    kind, size   "depth" or "width" and how many; "plain" and "implicit" have no size
    """
    rows = [("plain", "plain", None), ("explicit", "depth", 1)]
    rows += [(f"depth-{depth}", "depth", depth) for depth in DEPTHS[profile]]
    rows += [(f"width-{width}", "width", width) for width in WIDTHS[profile]]
    rows += [("implicit", "implicit", None)]
    table = []
    for name, kind, size in rows:
        trained = reports(name, profile=profile)
        found = summary(trained) if trained else {"error": None, "seeds": 0}
        table.append({"name": name, "kind": kind, "size": size, **found})
    return table


# ------------------------------------------------------------------------------------- along t
def along_t(records: Sequence[Record]) -> dict[str, Any]:
    """The error of Picard's y_t over all test flows, and how far its end is above its best.

    mean, rise   one per seed
    """
    curves = [record["along"] for record in records]
    return {"mean": curves, "rise": [curve[-1] / min(curve) - 1 for curve in curves]}


def steepness(implicit: Sequence[Record], explicit: Sequence[Record]) -> dict[str, Any]:
    """Fig. 4 over the seeds.

    lipschitz, as_released, error, std  one curve per seed, t = 1, 2, ...
    map                                 the largest ratio of the physical map in the waves
    explicit_error                      mean test error of the explicit network
    local                               of each seed: t, all, physical, map (see `probes.local`)
    local_explicit                      the same of the explicit network
    """
    measured = [record for record in implicit if "waves" in record]
    return {
        "lipschitz": [record["waves"]["corrected"] for record in measured],
        "as_released": [record["waves"]["as_released"] for record in measured],
        "error": [record["waves"]["error"] for record in measured],
        "std": [record["waves"]["std"] for record in measured],
        "map": measured[0]["waves"]["map"],
        "explicit_error": summary(explicit)["error"],
        "local": [record["local"] for record in measured],
        "local_explicit": [record["local"] for record in explicit if "local" in record],
    }


def decisions(records: Sequence[Record]) -> dict[str, Any]:
    """How the loop decides between w and -w, per seed; ``flows`` and ``wrong`` of the first one.

    peak_over_first, peak_over_last  the largest L_t as released over L_3 and over the last
    corrected_over_first, corrected_over_last   the largest corrected L_t over L_1 and over the last
    """
    measured = [record for record in records if "decision" in record]
    curves = [record["waves"]["as_released"] for record in measured]
    corrected = [record["waves"]["corrected"] for record in measured]
    return {
        "corrected_over_first": [max(curve) / curve[0] for curve in corrected],
        "corrected_over_last": [max(curve) / curve[-1] for curve in corrected],
        "peak_over_first": [max(curve) / curve[2] for curve in curves],
        "peak_over_last": [max(curve) / curve[-1] for curve in curves],
        "changed": [record["decision"]["changed"] for record in measured],
        "wrong": measured[0]["decision"]["wrong"],
        "flows": measured[0]["decision"]["flows"],
    }


# ---------------------------------------------------------------------------------------- rest
def places(record: Record) -> tuple[Tensor, dict[int, list[str]]]:
    """How far from y_T from zero the other starts end, from the ``apart`` of a record.

    Returns (distances (starts, flows), {flow: names of the starts that end elsewhere}).
    """
    names = list(record["apart"])
    distances = torch.tensor([record["apart"][name] for name in names])
    elsewhere = {}
    for flow in (distances >= SAME_PLACE).any(0).nonzero().flatten().tolist():
        far = zip(names, (distances[:, flow] >= SAME_PLACE).tolist(), strict=True)
        elsewhere[flow] = [name for name, is_far in far if is_far]
    return distances, elsewhere


def at_rest(records: Sequence[Record]) -> dict[str, Any]:
    """How the loop comes to rest on the test flows, one entry per seed.

    rests       share of flows on which Picard's iteration from zero does
    one_place   share of flows on which all starts end within 1 % of one answer
    radius      largest spectral radius of dG/dz at rest
    contracts   share of flows on which it is below 1
    solved      share of flows that Anderson's method solves to 1e-3 in 50 evaluations
    anderson    mean error of its answers
    elsewhere   share of flows on which its error is above 1: it ended near -w, or nowhere
    radii       of all flows, of the first seed
    """
    measured = [record for record in records if "apart" in record]
    radii = [torch.tensor(record["radius"]) for record in measured]
    distances = [places(record)[0] for record in measured]
    return {
        "rests": [_share(torch.tensor(record["rest"]) < _RESTS) for record in measured],
        "one_place": [_share((distance < SAME_PLACE).all(0)) for distance in distances],
        "radius": [radius.max().item() for radius in radii],
        "contracts": [_share(radius < 1) for radius in radii],
        "solved": [_share(torch.tensor(record["success"])) for record in measured],
        "anderson": [torch.tensor(record["anderson"]).mean().item() for record in measured],
        "elsewhere": [_share(torch.tensor(record["anderson"]) > 1) for record in measured],
        "radii": radii[0],
    }


def _share(flags: Tensor) -> float:
    return flags.double().mean().item()


# --------------------------------------------------------------------------- viscosity, the bound
def by_viscosity(profile: str) -> list[dict[str, Any]]:
    """The pair at each viscosity, from the largest: errors over flows and seeds, None if not run.

    error        by kind: mean test error
    allowance    by kind: its standard error over the flows, of one seed
    steps        of Anderson's method to its tolerance, mean
    """
    names = {
        (model.kind, model.viscosity): name
        for name, model in declared(profile).items()
        if model.kind in ("implicit", "explicit")
        and model.regime == "published"
        and not model.bounded
        and model.depth == 1
        and model.width is None
    }
    rows = []
    for viscosity in (VISCOSITY, *VISCOSITIES):
        row: dict[str, Any] = {"viscosity": viscosity, "error": {}, "allowance": {}}
        for kind in ("explicit", "implicit"):
            records = reports(names[kind, viscosity], profile=profile)
            found = summary(records) if records else None
            row["error"][kind] = None if found is None else found["error"]
            row["allowance"][kind] = (
                None if found is None else found["std"] / len(records[0]["errors"]) ** 0.5
            )
            if kind == "implicit":
                steps = [sum(record["steps"]) / len(record["steps"]) for record in records]
                row["steps"] = sum(steps) / len(steps) if steps else None
        rows.append(row)
    return rows


def bounded_pair(profile: str) -> dict[str, Any] | None:
    """The bounded pair, as the claims ask for it; None where it was not run.

    bound, least_error, target  L, the least mean error under it, the slopes of the physical map
    t, error, slope             along t: mean error, and slopes at some flows
    explicit_error, explicit_slope   of the explicit network
    error_at_rest, slope_at_rest, slope_over_target   at the last t, the slopes per flow
    operator_over_bound, explicit_over_bound   the largest slopes of what the bound was asked of
    """
    pair = [reports(f"{kind}-bounded", profile=profile) for kind in ("implicit", "explicit")]
    if not all(pair):
        return None
    implicit, explicit = (records[0]["bounded"] for records in pair)
    at_rest, target = implicit["slope"][-1], implicit["map"]
    return {
        "bound": implicit["bound"],
        "least_error": implicit["least_error"],
        "target": target,
        "t": implicit["t"],
        "error": implicit["error"],
        "slope": implicit["slope"],
        "explicit_error": explicit["error"][0],
        "explicit_slope": explicit["slope"][0],
        "error_at_rest": implicit["error"][-1],
        "slope_at_rest": at_rest,
        "slope_over_target": [a / b for a, b in zip(at_rest, target, strict=True)],
        "operator_over_bound": implicit["operator"] / implicit["bound"],
        "explicit_over_bound": explicit["operator"] / explicit["bound"],
    }
