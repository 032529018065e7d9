"""The records of parity and sums, all seeds side by side: what notebook 05 shows and claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from equilibria.files import DataError
from equilibria.studies.language.reasoning.records import right_along_t, right_at
from equilibria.studies.language.reasoning.tasks import LONGEST, TASKS

__all__ = ["recorded"]

_JUDGED = (16, 32, 64)  # lengths that the claims are about, the first one the longest in training


def recorded(records: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, Any]:
    """All that notebook 05 saves about parity and sums, but for what it measures itself.

    ``records`` maps each name of `NAMES` to its records, one per seed. The result has

    along_t        per task `right_along_t` of its loop, and the share ``chance``
    loops_by_seed  loops to 99 % of parity: one row per seed, one entry per length
    explicit       right last answers of parity against length: the loop at t = 2 n, and the
                   explicit models at t = 1; one row per length, one column per seed
    at_rest        radius, norm, rate and residual of parity's loop, one entry per seed
    longest        the longest questions of training
    targets        the numbers that the claims read, one per seed (and length): for parity the
                   share of right last answers at t = 2 n (``enough``), at n / 4 (``quarter``) and
                   the ``change`` from 2 n to 8 n; for the block once and the sums the share at
                   the lengths that their names say

    Raises DataError for a record of parity's loop without ``at_rest``.
    """
    for record in records["parity"]:
        if "at_rest" not in record:
            raise DataError(
                f"the record of parity seed {record['seed']} has no at_rest: delete it, "
                "then run `equilibria evaluate language`"
            )
    curves = {name: right_along_t(found) for name, found in records.items()}
    parity = curves["parity"]
    along_t = {task: curves[task] | {"chance": 1 / TASKS[task]} for task in TASKS}
    lengths = parity["lengths"]
    explicit: dict[str, Any] = {"lengths": lengths}
    for kind, name in (("loop", "parity"), ("once", "parity-once"), ("stack", "parity-stack")):
        shares = [right_at(curves[name], n, 2 * n if kind == "loop" else 1) for n in lengths]
        explicit[kind] = {"parameters": records[name][0]["parameters"], "right": shares}
    numbers: dict[str, list[float]] = {"enough": [], "quarter": [], "change": []}
    for n in _JUDGED:
        enough, late = right_at(parity, n, 2 * n), right_at(parity, n, 8 * n)
        numbers["enough"] += enough
        numbers["quarter"] += right_at(parity, n, n // 4)
        numbers["change"] += [abs(b - a) for a, b in zip(enough, late, strict=True)]
    once, sums = curves["parity-once"], curves["sums"]
    return {
        "along_t": along_t,
        "loops_by_seed": [list(row) for row in zip(*parity["loops"].values(), strict=True)],
        "explicit": explicit,
        "at_rest": [{"seed": r["seed"], **r["at_rest"]} for r in records["parity"]],
        "longest": LONGEST,
        "targets": {
            "parity": numbers,
            "once_16": right_at(once, 16, 1),
            "once_beyond": right_at(once, 32, 1) + right_at(once, 64, 1),
            "sums_16": right_at(sums, 16, 32),
            "sums_far": right_at(sums, 64, 128),
        },
    }
