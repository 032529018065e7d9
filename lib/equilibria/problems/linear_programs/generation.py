"""Random programs, drawn as the paper draws them (section 5.3), and their cache on disk."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import count as count_from
from itertools import repeat
from pathlib import Path
from typing import Never, TypedDict, Unpack

import numpy as np
from tqdm.auto import tqdm

from equilibria.checks import require, require_int
from equilibria.problems.cache import read_or_make, recipe_key
from equilibria.problems.linear_programs.labels import Failure, label
from equilibria.problems.linear_programs.programs import (
    LinearProgramError,
    LinearPrograms,
    Program,
    Row,
    stack,
)
from equilibria.problems.linear_programs.workers import SMALL, worker_pool

__all__ = ["Sizes", "generate", "generate_cached"]

_CHUNK = 64  # candidates drawn from one seed, so that a draw does not depend on the workers
_CHUNKS_AT_ONCE = 16  # handed to the pool together
_LARGEST_UNSOLVED = 0.05  # share of the draws that HiGHS may leave unsolved
_EMPTY_CHUNKS = 16  # the search ends after this many chunks without a feasible program


class Sizes(TypedDict, total=False):
    """The arguments of `generate` that say what is drawn."""

    variables: int
    constraints: int
    nonzeros: int
    equality_probability: float


@dataclass(frozen=True)
class _Distribution:
    """What one candidate is drawn from: `Sizes`, all of them given."""

    variables: int
    constraints: int
    nonzeros: int
    equality_probability: float


def generate(
    count: int,
    *,
    variables: int = 50,
    constraints: int = 10,
    nonzeros: int = 100,
    equality_probability: float = 0.3,
    seed: int,
    progress: bool = True,
) -> LinearPrograms:
    """``count`` feasible random programs with labels, drawn as in the paper (section 5.3).

    A has ``nonzeros`` entries N(0, 1) at random places. The entries of c are 0.01 U(-1, 1), those
    of b U(-1, 1). Each pair l <= u is two sorted draws of N(0, 10^2). A row is an equality with
    ``equality_probability``. Infeasible draws, about 45 %, are dropped.

    The first k programs are the same for every count >= k, and so they are where HiGHS fails on a
    draw, which is not known to be infeasible: such draws are left out, counted and named in a
    warning. Raises TypeError or ValueError for impossible sizes and seeds, `LinearProgramError`
    where next to no draw is feasible, and where HiGHS fails on more than 5 % of them.
    """
    require_int("count", count, least=1)
    require_int("variables", variables, least=1)
    require_int("constraints", constraints, least=1)
    require_int("nonzeros", nonzeros, least=1)
    places = variables * constraints
    need = f"at most variables * constraints = {places}"
    require(nonzeros <= places, "nonzeros", nonzeros, need)
    possible = 0 <= equality_probability <= 1
    require(possible, "equality_probability", equality_probability, "in [0, 1]")
    require_int("seed", seed, least=0)
    distribution = _Distribution(variables, constraints, nonzeros, equality_probability)
    bar = tqdm(
        total=count,
        desc="linear programs",
        unit="LP",
        disable=not progress,
        leave=False,
        mininterval=2,
    )
    with bar:
        if count <= SMALL:
            return stack(_take(_chunks(distribution, seed), count, bar))
        with worker_pool() as pool:
            return stack(_take(_chunks_of_pool(pool, distribution, seed), count, bar))


def generate_cached(
    count: int,
    *,
    folder: str | Path,
    seed: int,
    progress: bool = True,
    **sizes: Unpack[Sizes],
) -> LinearPrograms:
    """`generate`, with its result kept in ``folder`` under a name that covers every argument.

    A file that is damaged or of another recipe is named in a warning and made again.
    """
    recipe = {"count": count, "seed": seed, "version": 1, **sizes}
    path = Path(folder) / f"{count}-{recipe_key(recipe)}.safetensors"
    tensors = read_or_make(
        path,
        recipe,
        lambda: generate(count, seed=seed, progress=progress, **sizes).tensors(),
    )
    return LinearPrograms(**tensors)


@dataclass(frozen=True)
class _Chunk:
    """What became of `_CHUNK` candidates."""

    programs: list[Row]  # the feasible ones, with labels
    unsolved: list[str]  # what HiGHS failed on, and how


def _chunks(distribution: _Distribution, seed: int) -> Iterator[_Chunk]:
    """One chunk after the other, without an end."""
    for chunk in count_from():
        yield _draw_chunk(distribution, seed, chunk)


def _chunks_of_pool(pool: Executor, distribution: _Distribution, seed: int) -> Iterator[_Chunk]:
    """The same chunks in the same order, several of them drawn at once."""
    for first in count_from(0, _CHUNKS_AT_ONCE):
        chunks = range(first, first + _CHUNKS_AT_ONCE)
        yield from pool.map(_draw_chunk, repeat(distribution), repeat(seed), chunks)


def _draw_chunk(distribution: _Distribution, seed: int, chunk: int) -> _Chunk:
    rng = np.random.default_rng([seed, chunk])
    drawn = _Chunk([], [])
    for number in range(_CHUNK):
        candidate = _draw(distribution, rng)
        if isinstance(candidate, Row):
            drawn.programs.append(candidate)
        elif candidate.unsolved:
            drawn.unsolved.append(f"draw {chunk * _CHUNK + number} {candidate.reason}")
    return drawn


def _draw(distribution: _Distribution, rng: np.random.Generator) -> Row | Failure:
    """One candidate with its label, or why it has none; draws the same either way."""
    m, n = distribution.constraints, distribution.variables
    nonzeros = distribution.nonzeros
    places = np.sort(rng.choice(n * m, nonzeros, replace=False))
    values = rng.normal(size=nonzeros)
    c = 0.01 * rng.uniform(-1, 1, n)
    b = rng.uniform(-1, 1, m)
    lower, upper = np.sort(rng.normal(0, 10, (2, n)), axis=0)
    equality = rng.random(m) < distribution.equality_probability
    A = np.zeros(n * m)
    A[places] = values
    program = Program(A.reshape(m, n), b, equality, c, lower, upper)
    answer = label(program)
    if isinstance(answer, Failure):
        return answer
    return Row(
        rows=places // n,
        columns=places % n,
        values=values,
        b=b,
        equality=equality,
        c=c,
        l=lower,
        u=upper,
        y=answer.y,
        objective=answer.objective,
    )


def _take(chunks: Iterable[_Chunk], count: int, bar: tqdm[Never]) -> list[Row]:
    """The first ``count`` programs of the chunks."""
    programs: list[Row] = []
    unsolved: list[str] = []
    empty_in_a_row = 0
    for number, chunk in enumerate(chunks, start=1):
        programs += chunk.programs
        unsolved += chunk.unsolved
        _require_few(unsolved, number * _CHUNK)
        empty_in_a_row = 0 if chunk.programs else empty_in_a_row + 1
        bar.update(min(len(chunk.programs), count - bar.n))
        if len(programs) >= count:
            if unsolved:
                warnings.warn(f"left out: {_first_of(unsolved)}", stacklevel=3)
            return programs[:count]
        if empty_in_a_row == _EMPTY_CHUNKS:
            break
    raise LinearProgramError(
        f"none of the last {_EMPTY_CHUNKS * _CHUNK} draws is a feasible program: such sizes admit "
        "next to none; lower equality_probability or constraints, or raise variables"
    )


def _require_few(unsolved: list[str], draws: int) -> None:
    if len(unsolved) > _LARGEST_UNSOLVED * draws:
        raise LinearProgramError(f"of {draws} draws, {_first_of(unsolved)}")


def _first_of(unsolved: list[str]) -> str:
    return f"{len(unsolved)} that HiGHS failed on, the first: {unsolved[0]}"
