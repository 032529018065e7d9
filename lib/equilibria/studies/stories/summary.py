"""The records of the stories, all seeds side by side: what notebook 05 shows and what it claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from equilibria.training.records import Record

__all__ = ["contrast", "explicit", "recorded", "right_along_t", "targets"]

JUDGED = (12, 24, 48)  # lengths that the claims are about, the first one the longest in training
_BEYOND = (24, 48)


def recorded(records: Mapping[str, Sequence[Record]]) -> dict[str, Any]:
    """All that notebook 05 saves about stories, from the records of each kind of model.

    ``records`` maps "loop", "once" and "stack" to the records, one per seed; there must be some of
    the loop. The result has what `targets` gives, and

    along_t    `right_along_t` of the loop
    explicit   `explicit`
    contrast   `contrast` for 48 sentences, with the changed name in any swap and in the first one
    at_rest    the loops' radius, norm and rate at rest, one entry per seed
    parts      share of right last answers at t = 2 n for each held-out part, one entry per seed
    """
    loops = records["loop"]
    found: dict[str, Any] = dict(targets(records))
    found["along_t"] = right_along_t(loops)
    found["explicit"] = explicit(records)
    found["contrast"] = [contrast(loops, JUDGED[-1], where) for where in ("any", "first")]
    found["at_rest"] = [{"seed": loop["seed"], **loop["at_rest"]} for loop in loops]
    found["parts"] = {}
    for row in loops[0]["parts"]:
        part = row["part"]
        found["parts"][part] = [_part(loop, part) for loop in loops]
    return found


def right_along_t(records: Sequence[Record]) -> dict[str, Any]:
    """The shares of right last answers of one model.

    seeds     one entry per seed
    lengths   the lengths n of the stories
    t[n]      the numbers of loops
    right[n]  one row per t, one column per seed
    """
    times: dict[int, list[int]] = {}
    right: dict[int, list[list[float]]] = {}
    for curves in zip(*(record["along_t"] for record in records), strict=True):
        n = curves[0]["length"]
        times[n] = curves[0]["t"]
        right[n] = _by_t(curve["last"] for curve in curves)
    seeds = [record["seed"] for record in records]
    return {"seeds": seeds, "lengths": list(times), "t": times, "right": right}


def contrast(records: Sequence[Record], length: int, where: str) -> dict[str, Any]:
    """What becomes of contrast pairs of one ``length``, with the changed name ``where``.

    t                 the numbers of loops
    right             what the right answers give: ``changed``, ``worst``, ``ratio``, ...
    changed, ratio    of the answers, and all else that `pair_scores` has along t: one row per t,
                      one column per seed
    """
    rows = [_pairs_of(record, length, where) for record in records]
    curves: dict[str, Any] = {"length": length, "where": where, "t": rows[0]["t"], "right": {}}
    for key, value in rows[0].items():
        if key.startswith("right_"):
            curves["right"][key.removeprefix("right_")] = value
        elif isinstance(value, list) and key != "t":
            curves[key] = _by_t(row[key] for row in rows)
    return curves


def explicit(records: Mapping[str, Sequence[Record]]) -> dict[str, Any]:
    """Right last answers against length: the loop at t = 2 n, and the explicit models at t = 1.

    ``records`` maps each model's kind ("loop", "once", "stack") to its records; a kind without any
    is left out.
    """
    rows: dict[str, Any] = {}
    for kind, found in records.items():
        if not found:
            continue
        curves = right_along_t(found)
        rows["lengths"] = curves["lengths"]
        shares = [_at(curves, n, 2 * n if kind == "loop" else 1) for n in curves["lengths"]]
        rows[kind] = {"parameters": found[0]["parameters"], "right": shares}
    return rows


def targets(records: Mapping[str, Sequence[Record]]) -> dict[str, list[Any]]:
    """The numbers that the claims about stories read, one entry per seed (and length).

    enough, quarter   share of right last answers at t = 2 n and at n / 4, n = 12, 24 and 48
    change            |the share at t = 8 n - that at 2 n|, n = 12, 24 and 48
    phrasing_loss     share of right last answers with the phrasings of training, less that with the
                      held-out phrasing, 24 sentences
    spectral_radius   of dG/dz at rest, 48 sentences: one row per seed, one entry per story
    ratio_growth      mean ratio of contrast pairs, answers only, at t = 2 n over that at t = 1:
                      48 sentences, the changed name in any swap
    ratio_to_right    the same ratio at t = 2 n over that of the right answers, n = 12, 24 and 48
    explicit_beyond   share of right last answers of the explicit models, 24 and 48 sentences; left
                      out where the block once or the stack has no record
    """
    loops = records["loop"]
    curves = right_along_t(loops)
    numbers: dict[str, list[Any]] = {"enough": [], "quarter": [], "change": []}
    for n in JUDGED:
        enough, late = _at(curves, n, 2 * n), _at(curves, n, 8 * n)
        numbers["enough"] += enough
        numbers["quarter"] += _at(curves, n, n // 4)
        numbers["change"] += [abs(b - a) for a, b in zip(enough, late, strict=True)]
    numbers["phrasing_loss"] = [_part(loop, "plain") - _part(loop, "phrasing") for loop in loops]
    numbers["spectral_radius"] = [loop["at_rest"]["radius"] for loop in loops]
    longest = [_pairs_of(loop, JUDGED[-1], "any")["ratio"] for loop in loops]
    numbers["ratio_growth"] = [ratio[-1] / ratio[0] for ratio in longest]
    numbers["ratio_to_right"] = []
    for n in JUDGED:
        for loop in loops:
            row = _pairs_of(loop, n, "any")
            numbers["ratio_to_right"].append(row["ratio"][-1] / row["right_ratio"])
    if records["once"] and records["stack"]:
        numbers["explicit_beyond"] = []
        for record in (*records["once"], *records["stack"]):
            once = right_along_t([record])
            for n in _BEYOND:
                numbers["explicit_beyond"] += _at(once, n, 1)
    return numbers


def _by_t(columns: Iterable[Sequence[float]]) -> list[list[float]]:
    """One row per t from one curve per seed."""
    return [list(values) for values in zip(*columns, strict=True)]


def _at(curves: dict[str, Any], n: int, t: int) -> list[float]:
    """The shares of right last answers at length n and time t, one per seed."""
    row: list[float] = curves["right"][n][curves["t"][n].index(t)]
    return row


def _part(record: Record, part: str) -> float:
    """The share of right last answers to the stories of a part."""
    (share,) = (float(row["last"]) for row in record["parts"] if row["part"] == part)
    return share


def _pairs_of(record: Record, length: int, where: str) -> dict[str, Any]:
    """What a record says of the contrast pairs of one length and place."""
    found: list[dict[str, Any]] = [
        row for row in record["contrast"] if row["length"] == length and row["where"] == where
    ]
    return found[0]
