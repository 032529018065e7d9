"""Judge every claim of the paper by the numbers that a profile produced.

``claims.yml`` has one row per claim: where it stands in the paper, where its number lies in the results, and a predicate that states
the published number, a trend or this project's target. Three verdicts:

    holds         the predicate is true
    falls short   it is not, and the row names the entry of DEVIATIONS.md that explains why (shown, counted, not fatal)
    fails         any other miss, and a number that is missing or belongs to a run that did not finish (exit code 1)
"""

import dataclasses
import json
import math
import re
from collections import Counter
from pathlib import Path

from equilibria.companion.parameters import PROFILES, find_notebook, notebooks
from equilibria.files import write_atomically as write
from equilibria.paths import figures_folder, project_root

__all__ = [
    "PREDICATES",
    "Claim",
    "ClaimsError",
    "Verdict",
    "judge",
    "judge_all",
    "load",
    "report",
    "table",
]

HOLDS, FALLS_SHORT, FAILS = "holds", "falls short", "fails"
_BEGIN, _END = "<!-- verdicts: written by `equilibria check` -->", "<!-- end of verdicts -->"


class ClaimsError(ValueError):
    """claims.yml itself is wrong: an unknown key, predicate, notebook, profile or anchor."""


class _Miss(Exception):
    """Why a claim has no number that could be judged."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
    """One row of claims.yml."""

    id: str
    notebook: str
    paper: str
    claim: str
    key: str | list
    predicate: dict
    published: str | float | None = None
    file: str = "results"
    spread_key: str | list | None = None
    profiles: tuple = PROFILES
    cost: str | None = None
    figure: str | None = None
    deviation: str | None = None

    def __post_init__(self):
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", str(self.id)):
            raise ClaimsError(f"claim id {self.id!r}: lower-case words joined by dashes")
        if not isinstance(self.predicate, dict) or len(self.predicate) != 1:
            raise ClaimsError(f"{self.id}: predicate {self.predicate!r} must be one `name: value`")
        ((name, argument),) = self.predicate.items()
        if name not in PREDICATES:
            raise ClaimsError(
                f"{self.id}: unknown predicate {name!r}; there are {', '.join(PREDICATES)}"
            )
        complaint = _SHAPES[name](argument)
        if complaint:
            raise ClaimsError(f"{self.id}: predicate {name} {complaint}, not {argument!r}")
        unknown = set(self.profiles) - set(PROFILES)
        if unknown or not self.profiles:
            raise ClaimsError(
                f"{self.id}: profiles {self.profiles!r}; there are {', '.join(PROFILES)}"
            )


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What became of one claim: ``word`` is one of the three verdicts, ``here`` our number, ``note`` what a reader must know."""

    claim: Claim
    word: str
    here: str
    note: str = ""


# Predicates: f(value, argument, other) -> bool, where other(key) reads another number of the same results file.
# A list means: every entry.


def _close_to(value, target, other):
    wanted = (
        _numbers(target["value"])
        if isinstance(target["value"], list)
        else [target["value"]] * len(_numbers(value))
    )
    if len(wanted) != len(_numbers(value)):
        raise _Miss(f"{len(_numbers(value))} numbers, {len(wanted)} wanted")
    return all(
        abs(v - w) <= (target["absolute"] if "absolute" in target else target["relative"] * abs(w))
        for v, w in zip(_numbers(value), wanted, strict=True)
    )


def _increasing(value, argument, other):
    numbers = _curve(value)
    slack = argument["slack"] * max(map(abs, numbers))
    return all(b >= a - slack for a, b in zip(numbers, numbers[1:])) and numbers[-1] > numbers[0]


def _settles(value, argument, other):
    numbers = _curve(value)
    if argument["after"] >= len(numbers) - 1:
        raise _Miss(f"only {len(numbers)} numbers, none after position {argument['after']}")
    return all(
        abs(v - numbers[-1]) <= argument["relative"] * abs(numbers[-1])
        for v in numbers[argument["after"] :]
    )


def _ends_near_best(value, argument, other):
    numbers = _curve(value)
    best = {"min": min, "max": max}[argument["best"]](numbers)
    return abs(numbers[-1] - best) <= argument["relative"] * abs(best)


def _less_than(value, argument, other):
    return all(v < argument.get("factor", 1) * w for v, w in _pairs(value, other(argument["key"])))


def _ratio_at_least(value, argument, other):
    return all(
        v >= argument["value"] * w for v, w in _pairs(value, other(argument["key"])) if _positive(w)
    )


PREDICATES = {
    "at_most": lambda value, bound, other: all(v <= bound for v in _numbers(value)),
    "at_least": lambda value, bound, other: all(v >= bound for v in _numbers(value)),
    "below": lambda value, bound, other: all(v < bound for v in _numbers(value)),
    "above": lambda value, bound, other: all(v > bound for v in _numbers(value)),
    "between": lambda value, bounds, other: all(
        bounds[0] <= v <= bounds[1] for v in _numbers(value)
    ),
    "equals": lambda value, wanted, other: type(value) is type(wanted) and value == wanted,
    "close_to": _close_to,
    "increasing": _increasing,
    "decreasing": lambda value, argument, other: _increasing(
        [-v for v in _curve(value)], argument, other
    ),
    "settles": _settles,
    "ends_near_best": _ends_near_best,
    "less_than": _less_than,
    "ratio_at_least": _ratio_at_least,
}

_TARGETS = {
    "at_most": "at most {0:.4g}",
    "at_least": "at least {0:.4g}",
    "below": "below {0:.4g}",
    "above": "above {0:.4g}",
    "between": "{0[0]:.4g} to {0[1]:.4g}",
    "equals": "{0}",
    "increasing": "rises",
    "decreasing": "falls",
    "settles": "settled within {0[relative]:.1%}",
    "ends_near_best": "ends within {0[relative]:.1%} of its best",
    "ratio_at_least": "at least {0[value]:.4g} x {0[key]}",
}


def target(claim: Claim) -> str:
    """The predicate in words, for the table."""
    ((name, argument),) = claim.predicate.items()
    if name == "close_to":
        gap = (
            f"{argument['absolute']:.2g}"
            if "absolute" in argument
            else f"{argument['relative']:.2%}"
        )
        return f"{_show(argument['value'])} within {gap}"
    if name == "less_than":
        return (
            "less than "
            + (f"{argument['factor']:.4g} x " if "factor" in argument else "")
            + _path_text(argument["key"])
        )
    return _TARGETS[name].format(argument)


def load(path: Path | None = None) -> list[Claim]:
    """The rows of claims.yml. Raises ``ClaimsError`` naming the row and what is wrong with it."""
    import yaml

    path = path or project_root() / "claims.yml"
    fields = {field.name: field for field in dataclasses.fields(Claim)}
    needed = [name for name, field in fields.items() if field.default is dataclasses.MISSING]
    claims, anchors = [], _anchors(project_root() / "DEVIATIONS.md")
    for row in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
        unknown, absent = (
            sorted(set(row) - set(fields)),
            [name for name in needed if name not in row],
        )
        if unknown or absent:
            raise ClaimsError(
                f"{row.get('id', row)}: "
                + "; ".join(
                    [f"unknown key {name!r}" for name in unknown]
                    + [f"no {name!r}" for name in absent]
                )
            )
        claim = Claim(**row)
        if claim.notebook not in notebooks():
            raise ClaimsError(
                f"{claim.id}: no notebook {claim.notebook!r}; there are {', '.join(notebooks())}"
            )
        if claim.deviation is not None and claim.deviation not in anchors:
            raise ClaimsError(f"{claim.id}: DEVIATIONS.md has no heading for {claim.deviation!r}")
        claims.append(claim)
    twice = [name for name, count in Counter(claim.id for claim in claims).items() if count > 1]
    if twice:
        raise ClaimsError(f"claim ids used twice: {', '.join(twice)}")
    return claims


def judge(claim: Claim, profile: str) -> Verdict:
    """The verdict on one claim, from the files of one profile."""
    here = "-"
    try:
        data = _results(claim, profile)
        value = _look_up(data, claim.key)
        here = _show(value) + (
            f" ± {_show(_look_up(data, claim.spread_key))}" if claim.spread_key else ""
        )
        ((name, argument),) = claim.predicate.items()
        if PREDICATES[name](value, argument, lambda key: _look_up(data, key)):
            return Verdict(
                claim,
                HOLDS,
                here,
                f"DEVIATIONS.md#{claim.deviation} is no longer needed" if claim.deviation else "",
            )
    except _Miss as miss:
        return Verdict(
            claim, FAILS, here, str(miss)
        )  # nothing was measured, so no deviation explains it
    return Verdict(claim, FALLS_SHORT if claim.deviation else FAILS, here)


def judge_all(profile: str, only: list[str] | None = None) -> list[Verdict]:
    """Verdicts on every claim that is made for a profile, or on those of some notebooks (``["01", "04"]``)."""
    chosen = {find_notebook(name).stem for name in only} if only else set(notebooks())
    return [
        judge(claim, profile)
        for claim in load()
        if profile in claim.profiles and claim.notebook in chosen
    ]


def table(verdicts: list[Verdict]) -> str:
    """The verdicts as aligned text for a terminal, and their count."""
    rows = [("", "claim", "published", "target", "here")]
    rows += [
        (
            v.word,
            v.claim.id,
            _show(v.claim.published),
            target(v.claim),
            v.here + (f"  [{v.note}]" if v.note else ""),
        )
        for v in verdicts
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join([cell.ljust(width) for cell, width in zip(row, widths)] + [row[4]]).rstrip()
        for row in rows
    ]
    return "\n".join(lines + [_count(verdicts)])


def report(verdicts: list[Verdict], profile: str) -> list[Path]:
    """Write ``figures/<profile>/README.md`` and, for ``quick``, the table in the project's README; return what was written."""
    folder = figures_folder() / profile
    folder.mkdir(parents=True, exist_ok=True)
    text = (
        f"# Verdicts, profile `{profile}`\n\nWritten by `equilibria check --profile {profile}`; every row states what the paper published or "
        f"what this project aims at, and what came out here.\n{_count(verdicts)}\n\n{_markdown(verdicts, profile)}\n"
    )
    written = [write(folder / "README.md", text)]
    readme = project_root() / "README.md"
    if profile == "quick" and folder.is_relative_to(project_root()):
        before, begin, rest = (
            readme.read_text(encoding="utf-8") if readme.is_file() else ""
        ).partition(_BEGIN)
        _, end, after = rest.partition(_END)
        if not (begin and end):
            raise ClaimsError(
                "README.md has lost the two lines between which the verdict table stands"
            )
        link = folder.relative_to(project_root()).as_posix()
        block = f"{_count(verdicts)}\nFigures, targets and spread: [{link}]({link}/README.md).\n\n{_summary(verdicts)}"
        written.append(write(readme, f"{before}{begin}\n{block}\n{end}{after}"))
    return written


def _markdown(verdicts, profile: str) -> str:
    lines = [
        "| claim | paper | published | target | here | verdict | figure |",
        "|---|---|---|---|---|---|---|",
    ]
    for v in verdicts:
        c = v.claim
        word = f"[{v.word}](../../DEVIATIONS.md#{c.deviation})" if v.word == FALLS_SHORT else v.word
        picture = f"[{c.figure}]({c.notebook}/{c.figure}.png)" if c.figure else ""
        cells = (
            c.claim,
            c.paper,
            _show(c.published),
            target(c),
            v.here,
            word + (f" ({v.note})" if v.note else ""),
            picture,
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _summary(verdicts) -> str:
    lines = ["| claim | paper | published | here | verdict |", "|---|---|---|---|---|"]
    lines += [
        "| "
        + " | ".join(
            cell.replace("|", "\\|")
            for cell in (v.claim.claim, v.claim.paper, _show(v.claim.published), v.here, v.word)
        )
        + " |"
        for v in verdicts
    ]
    return "\n".join(lines)


def _count(verdicts) -> str:
    words = Counter(v.word for v in verdicts)
    return f"{len(verdicts)} claims: {words[HOLDS]} hold, {words[FALLS_SHORT]} fall short, {words[FAILS]} fail."


def _results(claim: Claim, profile: str) -> dict:
    folder = figures_folder() / profile / claim.notebook
    if not (folder / "provenance.json").is_file():
        raise _Miss(f"{claim.notebook} has no finished run for {profile}")
    path = folder / f"{claim.file}.json"
    if not path.is_file():
        raise _Miss(f"no {path.name} from {claim.notebook}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _Miss(f"{path.name} of {claim.notebook} is damaged: {error}") from error


def _look_up(data, key):
    """The value under a dotted path (or a list of keys); whole numbers are positions where a list is met."""
    for part in key if isinstance(key, list) else key.split("."):
        try:
            data = data[int(part)] if isinstance(data, list) else data[str(part)]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise _Miss(f"no {_path_text(key)} in the results") from error
    return data


def _path_text(key) -> str:
    return ".".join(map(str, key)) if isinstance(key, list) else key


def _numbers(value) -> list:
    """A number or a list of them, as a list."""
    found = [n for entry in value for n in _numbers(entry)] if isinstance(value, list) else [value]
    if not found or any(
        isinstance(n, bool) or not isinstance(n, int | float) or not math.isfinite(n) for n in found
    ):
        raise _Miss(f"{_show(value)} is not a number")
    return found


def _curve(value) -> list:
    if not isinstance(value, list) or len(value) < 2:
        raise _Miss(f"{_show(value)} is not a list of two or more numbers")
    return _numbers(value)


def _pairs(value, others) -> list[tuple]:
    ours, theirs = _numbers(value), _numbers(others)
    if not isinstance(others, list):
        theirs = theirs * len(ours)
    if not isinstance(value, list):
        ours = ours * len(theirs)
    if len(ours) != len(theirs):
        raise _Miss(f"{len(ours)} numbers against {len(theirs)}")
    return list(zip(ours, theirs, strict=True))


def _positive(number) -> bool:
    if number <= 0:
        raise _Miss(f"a ratio to {number:.4g}")
    return True


def _show(value) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int | float):
        return f"{value:.4g}"
    if isinstance(value, list) and len(value) > 4:
        return f"{_show(value[0])} ... {_show(value[-1])}"
    return ", ".join(map(_show, value)) if isinstance(value, list) else "a table"


def _anchors(path: Path) -> set[str]:
    """The headings of a Markdown file as GitHub's anchors."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return {
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }


# The shape of each predicate's argument: f(argument) -> a complaint, or None.


def _number(argument):
    return (
        None
        if isinstance(argument, int | float) and not isinstance(argument, bool)
        else "takes a number"
    )


def _fields(required: dict, optional: dict | None = None):
    """A mapping with exactly these keys, each value accepted by its own test."""
    optional = optional or {}

    def complain(argument):
        if not isinstance(argument, dict) or not set(required) <= set(argument) <= set(
            required | optional
        ):
            return f"takes {{{', '.join(required)}}}" + (
                f" and may have {', '.join(optional)}" if optional else ""
            )
        wrong = [name for name, value in argument.items() if (required | optional)[name](value)]
        return f"has an impossible {', '.join(wrong)}" if wrong else None

    return complain


def _path(argument):
    return None if isinstance(argument, str | list) else "takes a key"


_SHAPES = {name: _number for name in ("at_most", "at_least", "below", "above")} | {
    "between": lambda a: (
        None
        if isinstance(a, list) and len(a) == 2 and not any(map(_number, a)) and a[0] <= a[1]
        else "takes [low, high]"
    ),
    "equals": lambda a: (
        None if isinstance(a, str | bool | int) else "takes text, a truth value or an integer"
    ),
    "close_to": lambda a: _fields(
        {"value": lambda v: any(map(_number, v if isinstance(v, list) else [v]))}
        | (
            {"absolute": _number}
            if isinstance(a, dict) and "absolute" in a
            else {"relative": _number}
        )
    )(a),
    "increasing": _fields({"slack": _number}),
    "decreasing": _fields({"slack": _number}),
    "settles": _fields(
        {"relative": _number, "after": lambda i: not (isinstance(i, int) and i >= 0)}
    ),
    "ends_near_best": _fields({"relative": _number, "best": lambda b: b not in ("min", "max")}),
    "less_than": _fields({"key": _path}, {"factor": _number}),
    "ratio_at_least": _fields({"key": _path, "value": _number}),
}
