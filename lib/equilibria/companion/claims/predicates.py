"""Predicates: what a check asks of a measured value, as `claims.yml` writes it.

A value is a number, a list of numbers, or lists of those (one per seed, per size, ...). A predicate
on numbers asks it of every number, one on curves of every innermost list. A null, or a number that
is not finite, stands for a solve that failed or an event that never came: the check *misses*
(`NotFinite`). A value of another kind, or none at all, is no evidence (`NoEvidence`): the check is
*missing*.

=================  =============================================================================
``at_most: 3``     and ``at_least``, ``below``, ``above``: each number against one bound
``equals: true``   the very value
``close_to``       ``{value, relative}`` or ``{value, absolute}``
``climbs``         ``{factor or by, within or within_absolute, after}``: a curve ends at ``factor``
                   times its first value or more, or above it ``by`` as much, and from position
                   ``after`` on stays that near to its last value
``descends``       ``{factor, within, after}``: a curve ends at its first value divided by
                   ``factor`` or less, and from position ``after`` on stays within ``within`` of
                   its least value
``rises``          ``{slack}``: a curve never falls by more than ``slack`` of its largest value,
                   and ends above its first value; ``falls`` is its mirror image
``less_than``      ``{key, factor}``: each number is below ``factor`` times its partner under
                   ``key``; ``case/model:key`` is another model's record, ``published:key`` the
                   claim's own published numbers. Lists pair entry by entry, and a number under
                   ``key`` is the partner of every entry.
``beats``          ``{key, by, standard_errors, lower_is_better}``: the mean over seeds and samples
                   is better than that under ``key`` (or under each of several) by more than ``by``
                   and ``standard_errors`` of the gap, paired by sample (`compare`)
=================  =============================================================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import override

from equilibria.companion.claims.values import (
    Gap,
    Value,
    compare,
    curves,
    numbers,
    pairs,
    require_tail,
    rises,
    show,
    spread,
)

__all__ = ["PREDICATES", "Beats", "LookUp", "Predicate", "parse"]

LookUp = Callable[[str], Value]  # the value under another key of the same evidence


class Predicate(BaseModel, ABC):
    """Base of the predicates."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @abstractmethod
    def holds(self, value: Value, other: LookUp) -> bool:
        """Whether ``value`` is what the predicate asks for."""

    @abstractmethod
    def words(self) -> str:
        """The predicate in words, for tables."""

    def here(self, value: Value, other: LookUp) -> str:
        """The measured value in words, for tables."""
        return show(value)


class _OnNumbers(Predicate):
    @override
    def here(self, value: Value, other: LookUp) -> str:
        return spread(value)


class _Bound(_OnNumbers):
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


class CloseTo(_OnNumbers):
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
        return f"{self.value:.4g} within a relative {self.relative:.2g}"


class Climbs(Predicate):
    """Every curve rises and then settles; a constant does not."""

    factor: float | None = Field(default=None, gt=1)
    by: float | None = Field(default=None, gt=0)
    within: float | None = Field(default=None, gt=0)
    within_absolute: float | None = Field(default=None, gt=0)
    after: int = Field(ge=0)

    @model_validator(mode="after")
    def _one_of_each(self) -> Climbs:
        if (self.factor is None) == (self.by is None):
            raise ValueError("needs exactly one of factor and by")
        if (self.within is None) == (self.within_absolute is None):
            raise ValueError("needs exactly one of within and within_absolute")
        return self

    @override
    def holds(self, value: Value, other: LookUp) -> bool:
        return all(self._climbs(curve) for curve in curves(value))

    def _climbs(self, curve: list[float]) -> bool:
        require_tail(curve, self.after)
        first, last = curve[0], curve[-1]
        if self.factor is not None:
            rose = last > first and last >= self.factor * first
        else:
            rose = last >= first + (self.by or 0.0)
        near = self.within_absolute
        if near is None:
            near = (self.within or 0.0) * abs(last)
        return rose and all(abs(v - last) <= near for v in curve[self.after :])

    @override
    def words(self) -> str:
        rise = f"{self.factor:.4g}-fold" if self.factor is not None else f"by {self.by:.4g}"
        near = f"{self.within:.0%}" if self.within is not None else f"{self.within_absolute:.4g}"
        return f"rises {rise} and settles within {near}"


class Descends(Predicate):
    """Every curve falls by a factor and stays near its best value; a constant does not."""

    factor: float = Field(gt=1)
    within: float = Field(gt=0)
    after: int = Field(ge=0)

    @override
    def holds(self, value: Value, other: LookUp) -> bool:
        return all(self._descends(curve) for curve in curves(value))

    def _descends(self, curve: list[float]) -> bool:
        require_tail(curve, self.after)
        fell = curve[-1] < curve[0] and curve[-1] * self.factor <= curve[0]
        best = min(curve)
        return fell and all(v <= (1 + self.within) * best for v in curve[self.after :])

    @override
    def words(self) -> str:
        return f"falls {self.factor:.4g}-fold and stays within {self.within:.0%} of its best"


class Rises(Predicate):
    """Every curve rises, up to a slack, and ends above its first value."""

    slack: float = Field(ge=0)

    @override
    def holds(self, value: Value, other: LookUp) -> bool:
        return all(rises(curve, self.slack) for curve in curves(value))

    @override
    def words(self) -> str:
        return "rises"


class Falls(Predicate):
    """Every curve falls, up to a slack, and ends below its first value."""

    slack: float = Field(ge=0)

    @override
    def holds(self, value: Value, other: LookUp) -> bool:
        return all(rises([-number for number in curve], self.slack) for curve in curves(value))

    @override
    def words(self) -> str:
        return "falls"


class LessThan(_OnNumbers):
    """Each number is below its partner times a factor."""

    key: str
    factor: float = Field(default=1.0, gt=0)

    @override
    def holds(self, value: Value, other: LookUp) -> bool:
        matched = list(pairs(value, other(self.key)))  # all of them, so that a misfit is seen
        return all(number < self.factor * partner for number, partner in matched)

    @override
    def words(self) -> str:
        factor = "" if self.factor == 1 else f"{self.factor:.4g} x "
        return f"less than {factor}{self.key}"

    @override
    def here(self, value: Value, other: LookUp) -> str:
        return f"{spread(value)} against {spread(other(self.key))}"


class Beats(Predicate):
    """The mean over seeds and samples is better than another's, beyond the spread of the gap."""

    key: str | list[str]
    by: float = Field(default=0.0, ge=0)
    standard_errors: float = Field(default=2.0, ge=0)
    lower_is_better: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """Where the others' values lie."""
        return (self.key,) if isinstance(self.key, str) else tuple(self.key)

    def gap(self, value: Value, other: LookUp) -> Gap:
        """The smallest lead of ``value`` over the others, in standard errors beyond ``by``."""
        gaps = [compare(value, other(key)) for key in self.keys]
        if self.lower_is_better:
            gaps = [replace(gap, mean=-gap.mean) for gap in gaps]
        return min(gaps, key=lambda gap: gap.mean - self.by - self._allowance(gap))

    @override
    def here(self, value: Value, other: LookUp) -> str:
        gap = self.gap(value, other)
        seeds = " (one seed each)" if max(gap.seeds) == 1 else ""
        return f"{gap.mean:.4g} ± {gap.standard_error:.2g}{seeds}"

    def _allowance(self, gap: Gap) -> float:
        return self.standard_errors * gap.standard_error

    @override
    def holds(self, value: Value, other: LookUp) -> bool:
        gap = self.gap(value, other)
        return gap.mean - self.by > self._allowance(gap)

    @override
    def words(self) -> str:
        by = f"{self.by:.4g} and " if self.by else ""
        names = ", ".join(self.keys)
        return f"better by more than {by}{self.standard_errors:.0f} standard errors than {names}"


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
    "falls": Falls,
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
