"""The rules of ``notebooks/parameters/schema.yaml``: what a value of a parameter may be.

The rules are plain dataclasses, and not pydantic models. A model would have to be built from the
schema at run time, and all of its messages rewritten: they do not name the nearest known name, nor
do they say that YAML reads 1e-3 as text. That would be longer than the checks below.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["ParameterError", "Rule", "nearest", "parse_rule", "require_known"]

TYPES: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "float": (int, float),
    "str": str,
    "bool": bool,
    "list": list,
}


class ParameterError(ValueError):
    """A notebook, profile or parameter does not exist or cannot be used; the message says why."""


@dataclass(frozen=True)
class Rule:
    """What one parameter, or one entry of a list, may be; None means no restriction.

    type                      a key of `TYPES`
    min, max, above, below    bounds of a number; the last two are not included themselves
    choices                   all values that are allowed
    items, min_items          for a list: the rule of each entry, and the least number of entries
    help                      what the parameter is, for a reader of the schema
    """

    type: str = "str"
    min: float | None = None
    max: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[Any, ...] | None = None
    items: Rule | None = None
    min_items: int = 0
    help: str = ""

    def complaints(self, value: Any) -> list[str]:
        """What is wrong with ``value``; nothing else is said about a value of the wrong type."""
        fits = isinstance(value, TYPES[self.type])
        is_bool = isinstance(value, bool)  # which Python counts among the integers
        if not fits or (is_bool and self.type != "bool"):
            return [self._wrong_type(value)]
        if self.type == "float" and not _is_finite(value):
            return ["must be finite"]
        if self.type == "list":
            return self._wrong_entries(value)
        return self._wrong_choice(value) + self._out_of_range(value)

    def _wrong_type(self, value: Any) -> str:
        hint = ""
        if self.type == "float" and isinstance(value, str):
            hint = " (YAML reads 1e-3 as text: write 1.0e-3)"
        return f"must be of type {self.type}, not {type(value).__name__}{hint}"

    def _wrong_entries(self, entries: list[Any]) -> list[str]:
        texts = []
        if len(entries) < self.min_items:
            texts.append(f"needs at least {self.min_items} entries")
        if self.items is not None:
            for entry in entries:
                texts += [f"entry {entry!r} {text}" for text in self.items.complaints(entry)]
        return texts

    def _wrong_choice(self, value: Any) -> list[str]:
        if self.choices is None or value in self.choices:
            return []
        allowed = ", ".join(str(choice) for choice in self.choices)
        return [f"must be one of {allowed}{nearest(value, self.choices)}"]

    def _out_of_range(self, value: Any) -> list[str]:
        texts = []
        if self.min is not None and value < self.min:
            texts.append(f"must be at least {self.min}")
        if self.max is not None and value > self.max:
            texts.append(f"must be at most {self.max}")
        if self.above is not None and value <= self.above:
            texts.append(f"must be above {self.above}")
        if self.below is not None and value >= self.below:
            texts.append(f"must be below {self.below}")
        return texts


def parse_rule(name: str, entry: Mapping[str, Any]) -> Rule:
    """The rule that the schema states for parameter ``name``.

    Raises ParameterError for an unknown kind of rule or type.
    """
    kinds = [field.name for field in fields(Rule)]
    for kind in entry:
        require_known(f"rule for {name} in parameters/schema.yaml:", kind, kinds)
    values = dict(entry)
    require_known(f"type of {name} in parameters/schema.yaml:", values.get("type", "str"), TYPES)
    if "choices" in values:
        values["choices"] = tuple(values["choices"])
    if "items" in values:
        values["items"] = parse_rule(name, values["items"])
    return Rule(**values)


def require_known(what: str, name: str, names: Iterable[str]) -> None:
    """Raise ParameterError, which names the nearest one, unless ``name`` is one of ``names``."""
    names = sorted(names)
    if name not in names:
        choices = ", ".join(names)
        raise ParameterError(f"unknown {what} {name!r}{nearest(name, names)}; there are {choices}")


def _is_finite(value: float) -> bool:
    """Whether ``value`` is a finite float; a whole number may be too large for one."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def nearest(name: Any, names: Iterable[Any]) -> str:
    """The end of a message: which of ``names`` may have been meant; empty where none is near."""
    matches = difflib.get_close_matches(str(name), [str(known) for known in names], n=1)
    if not matches:
        return ""
    return f", did you mean {matches[0]!r}?"
