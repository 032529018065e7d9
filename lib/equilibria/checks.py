"""Checks of arguments: each error names the argument, the value seen and what would do."""

import math
from typing import Any, TypeGuard

__all__ = ["is_int", "is_real", "require", "require_damping", "require_int", "require_real"]


def is_int(value: Any) -> TypeGuard[int]:
    """Whether ``value`` is an int, which a bool is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_real(value: Any) -> TypeGuard[float]:
    """Whether ``value`` is a finite int or float, which a bool is not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def require(
    condition: bool, name: str, value: Any, need: str, error: type[Exception] = ValueError
) -> None:
    """Raise ``error``, which says that ``name`` must be ``need``, unless ``condition`` holds."""
    if not condition:
        raise error(f"{name} must be {need}, got {value!r}")


def require_int(name: str, value: Any, *, least: int) -> None:
    """Raise TypeError unless ``value`` is an int, ValueError unless it is at least ``least``."""
    require(is_int(value), name, value, "an int", TypeError)
    require(value >= least, name, value, f"at least {least}")


def require_real(name: str, value: Any, *, above: float | None = None) -> None:
    """Raise TypeError unless ``value`` is a finite number, ValueError unless it is above that."""
    require(is_real(value), name, value, "a number", TypeError)
    require(above is None or value > above, name, value, f"above {above}")


def require_damping(damping: Any) -> None:
    """Raise TypeError unless ``damping`` is a finite number, ValueError outside (0, 1]."""
    require_real("damping", damping)
    require(0 < damping <= 1, "damping", damping, "in (0, 1]")
