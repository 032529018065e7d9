"""Values that a check judges: numbers, curves, pairs, and gaps between means with their spread."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Gap",
    "NoEvidence",
    "NotFinite",
    "Value",
    "compare",
    "curves",
    "numbers",
    "pairs",
    "require_tail",
    "rises",
    "show",
    "spread",
]

Value = Any  # a JSON value


class NoEvidence(Exception):
    """There is no number to judge; the message says why."""


class NotFinite(Exception):
    """There is a number, and it is not finite: a failed solve, or an event that never came."""


@dataclass(frozen=True)
class Gap:
    """A difference of two means, its standard error, and how many seeds stand behind each."""

    mean: float
    standard_error: float
    seeds: tuple[int, int]


def compare(ours: Value, theirs: Value) -> Gap:
    """How far ``ours`` is above ``theirs``; both (seeds, samples), over the same samples.

    The gap is the mean over samples of the seeds' mean difference. Its variance adds what the
    samples contribute (variance of the paired differences, over their number) and what the seeds
    of either side contribute (variance of the seeds' means, over their number). A side with a
    single seed is taken to vary as the other does; where both have one, that part is unknown.
    """
    a, b = _matrix(ours), _matrix(theirs)
    if len(a[0]) != len(b[0]):
        raise NoEvidence(f"{len(a[0])} samples against {len(b[0])}")
    paired = [
        _mean(column_a) - _mean(column_b)
        for column_a, column_b in zip(zip(*a, strict=True), zip(*b, strict=True), strict=True)
    ]
    if len(paired) < 2:
        raise NoEvidence("a standard error needs two samples or more")
    variance = _variance(paired) / len(paired)
    between = [_variance([_mean(row) for row in rows]) for rows in (a, b) if len(rows) > 1]
    if between:
        stand_in = max(between)
        for rows in (a, b):
            own = _variance([_mean(row) for row in rows]) if len(rows) > 1 else stand_in
            variance += own / len(rows)
    return Gap(_mean(paired), math.sqrt(variance), (len(a), len(b)))


def numbers(value: Value) -> list[float]:
    """A number or nested lists of numbers, as one list."""
    if isinstance(value, list):
        flat = [number for entry in value for number in numbers(entry)]
        if not flat:
            raise NoEvidence("an empty list")
        return flat
    if value is None:
        raise NotFinite("never")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NoEvidence(f"{show(value)} is not a number")
    try:
        number = float(value)
    except OverflowError:
        raise NotFinite("a whole number beyond the largest float") from None
    if not math.isfinite(number):
        raise NotFinite(f"{value}")
    return [number]


def curves(value: Value) -> Iterator[list[float]]:
    """The innermost lists of ``value``, each of at least two numbers."""
    if not isinstance(value, list) or not value:
        raise NoEvidence(f"{show(value)} is not a curve")
    if isinstance(value[0], list):
        for entry in value:
            yield from curves(entry)
        return
    if len(value) < 2:
        raise NoEvidence(f"{show(value)} is not a curve of two or more numbers")
    yield numbers(value)


def show(value: Value) -> str:
    """A value as tables print it: four digits, and the two ends of a long list."""
    if value is None:
        return "never"
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int | float):
        return f"{value:.4g}"
    if isinstance(value, list):
        if len(value) > 4:
            return f"{show(value[0])} … {show(value[-1])}"
        return ", ".join(map(show, value))
    return "a table"


def pairs(value: Value, partner: Value) -> Iterator[tuple[float, float]]:
    """Entry by entry; where only one side is a list, the other is the partner of every entry."""
    if isinstance(value, list) and isinstance(partner, list):
        if len(value) != len(partner) or not value:
            raise NoEvidence(f"{len(value)} entries against {len(partner)}")
        for one, other in zip(value, partner, strict=True):
            yield from pairs(one, other)
    elif isinstance(value, list):
        for number in numbers(value):
            yield from pairs(number, partner)
    elif isinstance(partner, list):
        for number in numbers(partner):
            yield from pairs(value, number)
    else:
        yield numbers(value)[0], numbers(partner)[0]


def rises(curve: list[float], slack: float) -> bool:
    """Whether no step falls by more than ``slack`` of the largest size, and the end is above."""
    allowed = slack * max(map(abs, curve))
    never_falls = all(b >= a - allowed for a, b in itertools.pairwise(curve))
    return curve[-1] > curve[0] and never_falls


def require_tail(curve: list[float], after: int) -> None:
    """Raise `NoEvidence` where a curve has no two numbers from position ``after`` on."""
    if after >= len(curve) - 1:
        raise NoEvidence(f"{len(curve)} numbers, none after position {after}")


def spread(value: Value) -> str:
    """All numbers where they are few, else the least and the largest."""
    found = numbers(value)
    if len(found) <= 4:
        return ", ".join(show(number) for number in found)
    return f"{show(min(found))} to {show(max(found))}"


def _matrix(value: Value) -> list[list[float]]:
    """(seeds, samples) from lists of lists; one list of numbers is a single seed."""
    rows = list(curves(value))
    if any(len(row) != len(rows[0]) for row in rows):
        raise NoEvidence("seeds with different numbers of samples")
    return rows


def _mean(values: list[float] | tuple[float, ...]) -> float:
    return math.fsum(values) / len(values)


def _variance(values: list[float]) -> float:
    centre = _mean(values)
    return math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1)
