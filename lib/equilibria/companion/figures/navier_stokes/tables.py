"""The rows of notebook 03's tables."""

from __future__ import annotations

from statistics import median
from typing import Any

__all__ = ["bounded_rows", "error_rows", "rest_rows", "table_5_rows", "viscosity_rows"]

Row = dict[str, object]
_NOT_RUN = "not run"


def error_rows(data: dict[str, Any]) -> list[Row]:
    """The errors of the networks of equal size, beside the published ones."""
    rows: list[Row] = []
    for kind, found in data["table"].items():
        spread = "-" if found["spread"] is None else f"{found['spread']:.4f}"
        rows.append(
            {
                "network": kind,
                "weights": f"{found['parameters']:,}",
                "test error": f"{found['error']:.4f}",
                "std over seeds": spread,
                "seeds": found["seeds"],
                "published": found["published"] or "-",
            }
        )
    return rows


def table_5_rows(data: dict[str, Any], published: dict[str, float]) -> list[Row]:
    """Table 5 in the paper's order; networks that were not trained say so."""
    rows: list[Row] = []
    for row in data["table_5"]:
        trained = row["error"] is not None
        rows.append(
            {
                "network": row["name"],
                "weights": f"{row['parameters']:,}",
                "test error": f"{row['error']:.4f}" if trained else _NOT_RUN,
                "std over flows": f"{row['std']:.4f}" if trained else "-",
                "published": published.get(row["name"], "-"),
                "training memory (MB)": f"{row['memory']:.1f}",
                "training time (s)": round(row["seconds"]) if trained else "-",
                "seeds": row["seeds"],
            }
        )
    return rows


def bounded_rows(data: dict[str, Any]) -> list[Row]:
    """The bounded pair at rest; slopes are medians over flows."""
    pair = data["bounded_pair"]
    found = {
        "explicit": (pair["explicit_error"], pair["explicit_slope"], pair["explicit_over_bound"]),
        "implicit, t = 1": (pair["error"][0], pair["slope"][0], pair["operator_over_bound"]),
        "implicit, at rest": (
            pair["error_at_rest"],
            pair["slope_at_rest"],
            pair["operator_over_bound"],
        ),
    }
    rows: list[Row] = []
    for name, (error, slope, held) in found.items():
        rows.append(
            {
                "network": name,
                "mean error": f"{error:.3f}",
                "least error under the bound": f"{pair['least_error']:.3f}",
                "slope over the bound": f"{median(slope) / pair['bound']:.2f}",
                "what is held to it, largest": f"{held:.2f}",
            }
        )
    return rows


def viscosity_rows(data: dict[str, Any]) -> list[Row]:
    """The pair at each viscosity."""
    rows: list[Row] = []
    for row in data["viscosity"]:
        found: Row = {"viscosity": f"{row['viscosity']:g}"}
        for kind in ("explicit", "implicit"):
            error = row["error"][kind]
            found[f"{kind}, test error"] = _NOT_RUN if error is None else f"{error:.4f}"
        found["evaluations to rest"] = "-" if row["steps"] is None else f"{row['steps']:.1f}"
        rows.append(found)
    return rows


def rest_rows(data: dict[str, Any]) -> list[Row]:
    """How the loop comes to rest on the test flows: one row per seed."""
    rest = data["rest"]
    rows: list[Row] = []
    for seed, radius in enumerate(rest["radius"]):
        rows.append(
            {
                "seed": seed,
                "Picard rests": f"{rest['rests'][seed]:.1%}",
                "all starts end at one answer": f"{rest['one_place'][seed]:.1%}",
                "largest spectral radius": f"{radius:.3f}",
                "Anderson solves": f"{rest['solved'][seed]:.1%}",
                "mean error of its answers": f"{rest['anderson'][seed]:.4f}",
                "it ends elsewhere": f"{rest['elsewhere'][seed]:.1%}",
                "error at t = 200 over best": f"{1 + data['rise'][seed]:.4f}",
            }
        )
    return rows
