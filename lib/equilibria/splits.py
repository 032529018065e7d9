"""Three splits by construction: whoever trains cannot read test data.

Training and validation data serve every choice; test data are read by evaluation alone. A study
marks its trainings with `trains` and announces each reading of test data with `reading_test_data`,
which refuses while a training runs, whatever the way that led there.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

__all__ = ["SplitError", "no_test_data", "reading_test_data", "trains"]

P = ParamSpec("P")
R = TypeVar("R")
_trainings: list[str] = []  # those that run now, in whatever thread of this process


class SplitError(RuntimeError):
    """A training, or its validation, asked for test data."""


@contextmanager
def no_test_data(who: str) -> Iterator[None]:
    """While this lasts, `reading_test_data` raises."""
    _trainings.append(who)
    try:
        yield
    finally:
        _trainings.remove(who)


def reading_test_data(what: str) -> None:
    """Announce that test data are about to be read.

    Raises `SplitError` while a training runs.
    """
    if _trainings:
        raise SplitError(
            f"{_trainings[-1]} asked for {what}: only an evaluation may read test data"
        )


def trains(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function that trains: nothing that it calls may read test data.

    Raises TypeError for a generator function, whose body runs only after the call.
    """
    if inspect.isgeneratorfunction(function):
        raise TypeError(f"function must not be a generator function, got {function.__name__}")

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        with no_test_data(f"{function.__module__}.{function.__name__}"):
            return function(*args, **kwargs)

    return guarded
