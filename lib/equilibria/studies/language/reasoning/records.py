"""Records of the reasoning tasks: what a finished model does, and all seeds side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.studies.language.loops import device_of, rest
from equilibria.studies.language.reasoning.measures import accuracy_along_t, lasting
from equilibria.studies.language.reasoning.tasks import test_questions
from equilibria.training.records import rounded

__all__ = ["AT_REST", "LENGTHS", "accuracy_record", "right_along_t", "right_at"]

LENGTHS = (4, 8, 16, 24, 32, 48, 64)  # symbols in the questions of a record
_COUNT = 200  # questions of each length
AT_REST = 100  # questions on which a loop is asked whether it comes to rest


def accuracy_record(
    model: LoopedTransformer, name: str, *, count: int | None = None
) -> dict[str, Any]:
    """What a record holds of one model.

    questions  test questions per length
    along_t    per length n of LENGTHS the times ``t``, the shares of right answers ``last`` and
               ``all`` at each of them, and the ``loops`` to 99 %. The times are 1, ..., 2 n, and
               4 n and 8 n; an explicit model is asked only at t = 1
    at_rest    `loops.rest` at t = 4 n of 100 questions of 64 symbols (a loop alone)
    """
    task, _, kind = name.partition("-")
    count = count or _COUNT
    rows = []
    for n in LENGTHS:
        times = [1] if kind else [*range(1, 2 * n + 1), 4 * n, 8 * n]
        accuracy = accuracy_along_t(model, test_questions(task, count, n), times)
        last, every = rounded(accuracy["last"]), rounded(accuracy["all"])
        loops = lasting(times, last)
        rows.append({"length": n, "t": times, "last": last, "all": every, "loops": loops})
    record: dict[str, Any] = {"questions": count, "along_t": rows}
    if not kind:
        record["at_rest"] = _at_rest(model, task, min(count, AT_REST))
    return record


def _at_rest(model: LoopedTransformer, task: str, count: int) -> dict[str, Any]:
    """Whether the loop rests on ``count`` of the longest questions."""
    n = LENGTHS[-1]
    asked = test_questions(task, count, n)
    with torch.no_grad():
        x = model.encode(asked.tokens.to(device_of(model)))
    settled = rest(model, x, settle=4 * n)
    residual = settled.pop("residual")  # far below the places that are kept of the others
    kept = {key: rounded(values) for key, values in settled.items()}
    return {"length": n, **kept, "residual": residual}


def right_along_t(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The records of a model, all seeds side by side.

    seeds     one entry per seed
    lengths   the lengths n of the questions
    t[n]      the times
    right[n]  shares of right last answers: one row per t, one column per seed
    loops[n]  loops to 99 %, one entry per seed; None if it is never reached
    """
    times: dict[int, list[int]] = {}
    right: dict[int, list[list[float]]] = {}
    loops: dict[int, list[int | None]] = {}
    for curves in zip(*(record["along_t"] for record in records), strict=True):
        n = curves[0]["length"]
        times[n] = curves[0]["t"]
        by_t = zip(*(curve["last"] for curve in curves), strict=True)
        right[n] = [list(values) for values in by_t]
        loops[n] = [curve["loops"] for curve in curves]
    return {
        "seeds": [record["seed"] for record in records],
        "t": times,
        "right": right,
        "loops": loops,
        "lengths": list(times),
    }


def right_at(curves: dict[str, Any], n: int, t: int) -> list[float]:
    """The shares of right last answers at length n and time t, one per seed.

    ``curves`` comes from `right_along_t`.
    """
    row: list[float] = curves["right"][n][curves["t"][n].index(t)]
    return row
