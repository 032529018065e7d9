"""The rows of notebook 01's tables, made from what its results files hold."""

from __future__ import annotations

from typing import Any

from equilibria.studies.one_over_x.networks import BOUNDS

__all__ = ["against_the_paper", "toy_rows"]

Json = dict[str, Any]  # a results file, as it is read back
Row = dict[str, object]


def toy_rows(toy: Json) -> list[Row]:
    """Sup errors of the learned toy, mean and standard deviation over seeds; one row per bound."""
    rows = []
    for bound in BOUNDS:
        summary = toy["summary"][str(bound)]
        explicit = _with_spread(summary["explicit"])
        row: Row = {"Lipschitz bound": bound, "explicit": explicit[0]}
        for t, error in zip(toy["times"], _with_spread(summary["implicit"]), strict=True):
            row[f"implicit, t = {t}"] = error
        row["any function with this bound"] = f"at least {toy['least_error'][str(bound)]:.3f}"
        rows.append(row)
    return rows


def _with_spread(statistics: dict[str, list[float]]) -> list[str]:
    """The sup errors as "mean ± standard deviation", one per t."""
    pairs = zip(statistics["sup_error"], statistics["sup_error_spread"], strict=True)
    return [f"{error:.3f} ± {spread:.3f}" for error, spread in pairs]


def against_the_paper(results: Json) -> list[Row]:
    """What the theorems predict beside what was measured; one row per quantity."""
    rows = [_settled_row(one) for one in results["steepness"]]
    rows.append(_closed_form_row(results["curves"]))
    rows.append(_iterations_row(results["iterations"]))
    targets = results["sufficiency"]["targets"].values()
    rows.extend(_target_row(one) for one in targets)
    rows.append(_necessity_row(list(targets)))
    rows.append(_sign_row(results["limit"]))
    return rows


def _row(what: str, *, predicted: object, here: object, gap: str) -> Row:
    return {"what": what, "predicted": predicted, "here": here, "gap": gap}


def _settled_row(one: Json) -> Row:
    return _row(
        f"sup of |dy/dx| on [{one['interval']:g}, 1], settled",
        predicted=one["limit"],
        here=one["measured"][-1],
        gap=f"{one['end_over_limit'] - 1:+.1e}",
    )


def _closed_form_row(curves: Json) -> Row:
    return _row(
        "y_t against its closed form, largest relative gap",
        predicted=0,
        here=max(curves["largest_gap"]),
        gap="rounding",
    )


def _iterations_row(iterations: Json) -> Row:
    return _row(
        "iterations to tolerance, largest difference",
        predicted=0,
        here=iterations["largest_gap"],
        gap="none" if iterations["largest_gap"] == 0 else "one",
    )


def _target_row(one: Json) -> Row:
    return _row(
        f"{one['label']}: Lip_x(G)/(1+|y|)",
        predicted="at most 1",
        here=one["operator"][-1],
        gap=f"|F'| reached {one['target'][-1]:.1e}",
    )


def _necessity_row(targets: list[Json]) -> Row:
    return _row(
        "measured |dy*/dx| over its bound, largest",
        predicted="at most 1",
        here=max(one["necessity"]["worst_ratio"] for one in targets),
        gap="attained",
    )


def _sign_row(limit: Json) -> Row:
    return _row(
        f"sign: mu at |x| = {limit['distance'][-1]:.1e}",
        predicted="to 1",
        here=f"1 - {limit['approach']['one_minus_mu'][-1]:.1e}",
        gap="",
    )
