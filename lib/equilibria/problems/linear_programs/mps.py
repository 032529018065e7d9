"""A strict look at MPS files, before HiGHS reads them.

HiGHS passes over much that makes a file mean something else: a quadratic objective, a number with
letters behind it, bounds of a variable that there is not. Here each line is looked at once, and the
first that is not of a linear program is named.
"""

from __future__ import annotations

from pathlib import Path

from equilibria.problems.linear_programs.programs import LinearProgramError

__all__ = ["check_mps"]

_SECTIONS = ("NAME", "OBJSENSE", "ROWS", "COLUMNS", "RHS", "RANGES", "BOUNDS", "ENDATA")
_VALUED = ("UP", "LO", "FX")  # bounds that come with a number
_PLAIN = ("FR", "MI", "PL")  # bounds that are infinite
_INTEGER = ("BV", "LI", "UI", "SC")


def check_mps(path: Path) -> None:
    """Raise `LinearProgramError`, which names the line, unless a linear program is all there is.

    Names must not hold spaces.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LinearProgramError(f"path: {path} is not a readable MPS file ({error})") from error
    look = _Look(path)
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("*"):
            look.at(number, line)
    if look.section != "ENDATA":
        raise LinearProgramError(f"path: {path} is not a readable MPS file: it has no ENDATA")
    if not look.has_objective:
        raise LinearProgramError(f"path: {path}, section ROWS: no objective, a row of type N")


class _Look:
    """What the lines so far have said."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.section = ""
        self.columns: set[str] = set()
        self.has_objective = False
        self.number = 0  # of the present line

    def at(self, number: int, line: str) -> None:
        """Take in one line."""
        self.number = number
        words = line.split()
        if not line[0].isspace():
            self._enter(words[0].upper())
        elif self.section == "ROWS":
            self.has_objective |= words[0].upper() == "N"
        elif self.section == "COLUMNS":
            self._column(words)
        elif self.section in ("RHS", "RANGES"):
            # the name of the set may be left out
            self._numbers(words[1 + len(words) % 2 :: 2])
        elif self.section == "BOUNDS":
            self._bound(words)

    def _enter(self, section: str) -> None:
        if section not in _SECTIONS:
            self._refuse(f"section {section} is none of a linear program")
        if self.section == "ENDATA":
            self._refuse("after ENDATA")
        self.section = section

    def _column(self, words: list[str]) -> None:
        if "'MARKER'" in words:
            self._refuse("integer variables, and linear programs have none; relax them first")
        if len(words) not in (3, 5):
            self._refuse("not a column's name and one or two pairs of row and number")
        self.columns.add(words[0])
        self._numbers(words[2::2])

    def _bound(self, words: list[str]) -> None:
        kind = words[0].upper()
        if kind in _INTEGER:
            self._refuse(f"a bound of type {kind} is of integer variables; relax them first")
        if kind not in _VALUED + _PLAIN:
            self._refuse(f"no bound has the type {kind!r}")
        if kind in _VALUED:
            self._numbers(words[-1:])
            words = words[:-1]
        # the name of the set may be left out
        column = words[min(2, len(words) - 1)]
        if column not in self.columns:
            self._refuse(f"a bound of the variable {column!r}, which section COLUMNS has not")

    def _numbers(self, words: list[str]) -> None:
        for word in words:
            try:
                float(word)
            except ValueError:
                self._refuse(f"{word!r} is not a number")

    def _refuse(self, reason: str) -> None:
        raise LinearProgramError(f"path: {self.path}, line {self.number}: {reason}")
