"""Predicates: what a check asks of a measured value, as `claims.yml` writes it.

A value is a number, a list of numbers, or lists of those (one per seed, per size, ...); a predicate
on numbers asks it of every number, a predicate on curves of every innermost list. A value that is
not of this kind is no evidence: `NoEvidence` is raised, and the check is *missing*.

=================  =============================================================================
``at_most: 3``     and ``at_least``, ``below``, ``above``: each number against one bound
``equals: true``   the very value
``close_to``       ``{value, relative}`` or ``{value, absolute}``
``climbs``         ``{factor, within, after}``: a curve ends at ``factor`` times its first value or
                   more, and from position ``after`` on stays within ``within`` of its last value
``descends``       ``{factor, within}``: a curve ends at its first value divided by ``factor`` or
                   less, and within ``within`` of its least value
``rises``          ``{slack}``: a curve never falls by more than ``slack`` of its largest value, and
                   ends above its first value; a curve with a gap (null) does not rise
``less_than``      ``{key, factor}``: each number is below ``factor`` times its partner under
                   ``key``; ``case/model:key`` is another model's record, ``published:key`` the
                   claim's own published numbers
``beats``          ``{key, by, standard_errors, lower_is_better}``: the mean over seeds and samples
                   is better than that under ``key`` by at least ``by`` *and* by more than
                   ``standard_errors`` of the gap, paired by sample (`compare`)
=================  =============================================================================
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import override

__all__ = ["PREDICATES", "Gap", "NoEvidence", "Predicate", "compare", "numbers", "parse", "show"]

Value = Any  # a JSON value
LookUp = Callable[[str], Value]  # the value under another key of the same evidence


class NoEvidence(Exception):
    """There is no number to judge; the message says why."""


class Predicate(BaseModel):
    """Base of the predicates."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def holds(self, value: Value, other: LookUp) -> bool:
        """Whether ``value`` is what the predicate asks for."""
        raise NotImplementedError

    def words(self) -> str:
        """The predicate in words, for tables."""
        raise NotImplementedError


class _Bound(Predicate):
    bound: float


class AtMost(_Bound):
    """Every number is at most the bound."""

    @override
    def holds(self, value: Value, other: LookUp) -> bool:
        return all(number <= self.bound for number in numbers(value))

    @override
    def words(self) -> str:
        return f"at most {self.bound:.4g}"


class AtLeast(_Bound):
    """Every number is at least the bound."""

    @override
    def holds(self, value: Value, other: LookUp) -> bool:
        return all(number >= self.bound for number in numbers(value))

    @override
    def words(self) -> str:
        return f"at least {self.bound:.4g}"


class Below(_Bound):
    """Every number is below the bound."""

    @override
    def holds(self, value: Value, other: LookUp) -> bool:
        return all(number < self.bound for number in numbers(value))

    @override
    def words(self) -> str:
        return f"below {self.bound:.4g}"


class Above(_Bound):
    """Every number is above the bound."""

    @override
    def holds(self, value: Value, other: LookUp) -> bool:
        return all(number > self.bound for number in numbers(value))

    @override
    def words(self) -> str:
        return f"above {self.bound:.4g}"


class Equals(Predicate):
    """The very value, of the same type."""

    wanted: bool | int | str

    @override
    def holds(self, value: Value, other: LookUp) -> bool:
        return type(value) is type(self.wanted) and value == self.wanted

    @override
    def words(self) -> str:
        return f"{self.wanted}"


class CloseTo(Predicate):
    """Every number lies within a relative or an absolute distance of one value."""

    value: float
    relative: float | None = Field(default=None, gt=0)
    absolute: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one_distance(self) -> CloseTo:
        if (self.relative is None) == (self.absolute is None):
            raise ValueError("needs exactly one of relative and absolute")
        return self

    @override
    def holds(self, value: Value, other: LookUp) -> bool:
        distance = self.absolute
        if distance is None:
            distance = (self.relative or 0.0) * abs(self.value)
        return all(abs(number - self.value) <= distance for number in numbers(value))

    @override
    def words(self) -> str:
        if self.absolute is not None:
            return f"{self.value:.4g} within {self.absolute:.2g}"
        return f"{self.value:.4g} within {self.relative:.2%}"


class Climbs(Predicate):
    """Every curve rises by a factor and then settles; a constant does not."""

    factor: float = Field(gt=1)
    within: float = Field(gt=0)
    after: int = Field(ge=0)

    @override
    def holds(self, value: Value, other: LookUp) -> bool:
        return all(self._climbs(curve) for curve in curves(value))

    def _climbs(self, curve: list[float]) -> bool:
        if self.after >= len(curve) - 1:
            raise NoEvidence(f"{len(curve)} numbers, none after position {self.after}")
        last = curve[-1]
        settled = all(abs(v - last) <= self.within * abs(last) for v in curve[self.after :])
        return last >= self.factor * curve[0] and last > curve[0] and settled

    @override
    def words(self) -> str:
        return f"rises {self.factor:.4g}-fold and settles within {self.within:.0%}"


class Descends(Predicate):
    """Every curve falls by a factor and ends near its best value; a constant does not."""

    factor: float = Field(gt=1)
    within: float = Field(gt=0)

    @override
    def holds(self, value: Value, other: LookUp) -> bool:
        return all(
            curve[-1] * self.factor <= curve[0]
            and curve[-1] < curve[0]
            and curve[-1] <= (1 + self.within) * min(curve)
            for curve in curves(value)
        )

    @override
    def words(self) -> str:
        return f"falls {self.factor:.4g}-fold and ends within {self.within:.0%} of its best"


class Rises(Predicate):
    """Every curve rises, up to a slack, and ends above its first value."""

    slack: float = Field(ge=0)

    @override
    def holds(self, value: Value, other: LookUp) -> bool:
        return not _has_gap(value) and all(self._rises(curve) for curve in curves(value))

    def _rises(self, curve: list[float]) -> bool:
        slack = self.slack * max(map(abs, curve))
        steps = itertools.pairwise(curve)
        return curve[-1] > curve[0] and all(b >= a - slack for a, b in steps)

    @override
    def words(self) -> str:
        return "rises"


class LessThan(Predicate):
    """Each number is below its partner times a factor."""

    key: str
    factor: float = Field(default=1.0, gt=0)

    @override
    def holds(self, value: Value, other: LookUp) -> bool:
        pairs = list(_pairs(value, other(self.key)))
        return all(number < self.factor * partner for number, partner in pairs)

    @override
    def words(self) -> str:
        factor = "" if self.factor == 1 else f"{self.factor:.4g} x "
        return f"less than {factor}{self.key}"


class Beats(Predicate):
    """The mean over seeds and samples is better than another's, beyond the spread of the gap."""

    key: str
    by: float = Field(default=0.0, ge=0)
    standard_errors: float = Field(default=2.0, ge=0)
    lower_is_better: bool = False

    def gap(self, value: Value, other: LookUp) -> Gap:
        """How far ``value`` is ahead of the other, and the standard error of that."""
        gap = compare(value, other(self.key))
        return Gap(-gap.mean, gap.standard_error) if self.lower_is_better else gap

    @override
    def holds(self, value: Value, other: LookUp) -> bool:
        gap = self.gap(value, other)
        return gap.mean >= self.by and gap.mean > self.standard_errors * gap.standard_error

    @override
    def words(self) -> str:
        by = f"by {self.by:.4g} and " if self.by else ""
        return f"better {by}by {self.standard_errors:.0f} standard errors than {self.key}"


PREDICATES: dict[str, type[Predicate]] = {
    "at_most": AtMost,
    "at_least": AtLeast,
    "below": Below,
    "above": Above,
    "equals": Equals,
    "close_to": CloseTo,
    "climbs": Climbs,
    "descends": Descends,
    "rises": Rises,
    "less_than": LessThan,
    "beats": Beats,
}


def parse(written: dict[str, Any]) -> Predicate:
    """The predicate that ``{name: argument}`` stands for.

    Raises ValueError for anything else.
    """
    if len(written) != 1:
        raise ValueError(f"a predicate is one `name: argument`, got {written!r}")
    ((name, argument),) = written.items()
    if name not in PREDICATES:
        raise ValueError(f"unknown predicate {name!r}; there are {', '.join(PREDICATES)}")
    kind = PREDICATES[name]
    if issubclass(kind, _Bound):
        argument = {"bound": argument}
    elif kind is Equals:
        argument = {"wanted": argument}
    return kind.model_validate(argument)


@dataclass(frozen=True)
class Gap:
    """A difference of two means, and its standard error."""

    mean: float
    standard_error: float


def compare(ours: Value, theirs: Value) -> Gap:
    """How far ``ours`` is above ``theirs``; both (seeds, samples), over the same samples.

    The gap is the mean over samples of the seeds' mean difference. Its variance adds what the
    samples contribute (variance of the paired differences, over their number) and what the seeds
    of either side contribute (variance of the seeds' means, over their number). With a single
    seed that part is unknown and counts as zero.
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
    for rows in (a, b):
        if len(rows) > 1:
            variance += _variance([_mean(row) for row in rows]) / len(rows)
    return Gap(_mean(paired), math.sqrt(variance))


def numbers(value: Value) -> list[float]:
    """A number or nested lists of numbers, as one list."""
    if isinstance(value, list):
        flat = [number for entry in value for number in numbers(entry)]
        if not flat:
            raise NoEvidence("an empty list")
        return flat
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise NoEvidence(f"{show(value)} is not a number")
    return [float(value)]


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


def _has_gap(value: Value) -> bool:
    """Whether a null stands in nested lists: something that never came about."""
    if isinstance(value, list):
        return any(map(_has_gap, value))
    return value is None


def _pairs(value: Value, others: Value) -> Iterator[tuple[float, float]]:
    ours, theirs = numbers(value), numbers(others)
    if not isinstance(others, list):
        theirs = theirs * len(ours)
    if not isinstance(value, list):
        ours = ours * len(theirs)
    if len(ours) != len(theirs):
        raise NoEvidence(f"{len(ours)} numbers against {len(theirs)}")
    return zip(ours, theirs, strict=True)


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
