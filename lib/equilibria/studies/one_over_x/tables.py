"""The rows of notebook 01's tables, made from what its results files hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from equilibria.regularity import Audit
from equilibria.studies.one_over_x.networks import BOUNDS

__all__ = ["against_the_paper", "attempt_rows", "audit_rows", "toy_rows"]

_SHOWN = (1, 5, 25, 400)  # of the toy: the paper's iterations, and one far beyond

Json = dict[str, Any]  # a results file, as it is read back
Row = dict[str, object]


def toy_rows(toy: Json) -> list[Row]:
    """Sup errors of the learned toy, mean and standard deviation over seeds; one row per bound."""
    rows = []
    for bound in BOUNDS:
        summary = toy["summary"][str(bound)]
        explicit = _with_spread(summary["explicit"])
        row: Row = {"Lipschitz bound": bound, "explicit": explicit[0]}
        implicit = dict(zip(toy["times"], _with_spread(summary["implicit"]), strict=True))
        row |= {f"implicit, t = {t}": implicit[t] for t in _SHOWN}
        row["any function with this bound"] = f"at least {toy['least_error'][str(bound)]:.3f}"
        rows.append(row)
    return rows


def _with_spread(statistics: dict[str, list[float]]) -> list[str]:
    """The sup errors as "mean ± standard deviation", one per t."""
    pairs = zip(statistics["sup_error"], statistics["sup_error_spread"], strict=True)
    return [f"{error:.3f} ± {spread:.3f}" for error, spread in pairs]


def against_the_paper(results: Json) -> list[Row]:
    """What the theory predicts beside what was measured; one row per statement."""
    steepness, targets = results["steepness"], results["sufficiency"]["over_targets"]
    settled = [one["end_over_limit"] for one in steepness]
    ratios, approach = results["necessity"], results["limit"]["approach"]
    gaps = zip(approach["one_minus_mu"], approach["allowed"], strict=True)
    return [
        _row("$y_t$ against its closed form", "0", f"{max(results['curves']['largest_gap']):.0e}"),
        _row("iterations needed, minus predicted", "0", f"{results['iterations']['largest_gap']}"),
        _row(
            "settled slope of $y_t$ over $1/d^2$", "1", f"{min(settled):.3f} to {max(settled):.3f}"
        ),
        _row(
            "slope of $G$ in $x$ over $1 + \\lvert y \\rvert$, seven targets",
            "at most 1",
            f"{max(targets['largest_operator']):.3f}",
        ),
        _row(
            "slope of $y^*$ over its bound, built to attain it",
            "1",
            f"{max(targets['measured_over_bound']):.3f}",
        ),
        _row(
            "the same, turning or learned operators",
            "at most 1",
            f"{ratios['least_ratio']:.1e} to {ratios['worst_ratio']:.3f}",
        ),
        _row(
            "$1 - \\mu$ for sign $x$ over the largest allowed",
            "at most 1",
            f"{max(gap / allowed for gap, allowed in gaps):.3f}",
        ),
    ]


def _row(what: str, theory: str, here: str) -> Row:
    return {"what": what, "theory": theory, "here": here}


def attempt_rows(attempts: Json, names: Mapping[str, str]) -> list[Row]:
    """How steep and how slow each attempted step is at the nearest points (`lab`), by its label."""
    return [
        {
            "step": label,
            "$\\lvert x \\rvert$": f"{one['distance'][-1]:.1e}",
            "slope across the jump": f"{one['steepness'][-1]:.3g}",
            "$1 - \\mu$": f"{one['one_minus_mu'][-1]:.1e}",
        }
        for label, one in ((label, attempts[name]) for name, label in names.items())
    ]


def audit_rows(audits: Mapping[str, Audit]) -> list[Row]:
    """What the audit found of each operator; one row per name."""
    return [
        {
            "operator": name,
            "fixed point": "found" if bool(audit.solved.all()) else "**none**",
            "largest $\\mu$": _marked(float(audit.mu.max())),
            "slope in $x$ grows like": _power(float(audit.growth.max())),
            "regular": "yes, as far as probed" if audit.regular else "**no**",
        }
        for name, audit in audits.items()
    ]


def _marked(modulus: float) -> str:
    return f"{modulus:.3f}" if modulus < 1 else f"**{modulus:.3f}**"


def _power(exponent: float) -> str:
    text = rf"$\lvert y \rvert^{{{exponent:.2f}}}$"
    return text if exponent <= 1.05 else f"{text}: **too fast**"
