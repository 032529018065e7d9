"""The programs of this case in three splits: for training, for every choice, and for the test.

The profile `paper` has the paper's numbers of training and test programs, `quick` a tenth, to try
the training out. All are drawn from one distribution, with a seed of their own for each split, and
kept under `data/linear_programs`.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from equilibria.paths import data_folder
from equilibria.problems.linear_programs import LinearPrograms, generate_cached
from equilibria.splits import reading_test_data

__all__ = ["COUNTS", "Counts", "data", "larger_programs", "test_programs"]


class Counts(NamedTuple):
    """How many programs each split of a profile has."""

    training: int
    validation: int
    test: int


COUNTS = {"paper": Counts(2500, 500, 1000), "quick": Counts(250, 50, 100)}

# Seeds of the programs. A model's own seed moves its first weights and its batches.
_TRAINING_SEED = 0
_TEST_SEED = 1
_LARGER_SEED = 2
_VALIDATION_SEED = 3


def data(profile: str, *, progress: bool = True) -> tuple[LinearPrograms, LinearPrograms]:
    """(training, validation) programs of a profile: what a training and its choices may see."""
    counts = COUNTS[profile]
    folder = _folder()
    return (
        generate_cached(counts.training, folder=folder, seed=_TRAINING_SEED, progress=progress),
        generate_cached(counts.validation, folder=folder, seed=_VALIDATION_SEED, progress=progress),
    )


def test_programs(profile: str, *, progress: bool = True) -> LinearPrograms:
    """The test programs of a profile, the same for every model and seed.

    Raises `SplitError` while a training runs.
    """
    reading_test_data("the test programs")
    count = COUNTS[profile].test
    return generate_cached(count, folder=_folder(), seed=_TEST_SEED, progress=progress)


def larger_programs(count: int, *, variables: int, progress: bool = True) -> LinearPrograms:
    """Test programs of another size, with as many nonzeros per variable as those of training.

    Raises `SplitError` while a training runs.
    """
    reading_test_data("larger test programs")
    return generate_cached(
        count,
        folder=_folder(),
        seed=_LARGER_SEED,
        progress=progress,
        variables=variables,
        constraints=variables // 5,
        nonzeros=2 * variables,
    )


def _folder() -> Path:
    return data_folder() / "linear_programs"
