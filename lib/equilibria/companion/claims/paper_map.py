"""The map of the paper: where each theorem, figure and table of it is measured here.

The places come from `claims.yml`, the verdicts from the results, the times from the runs'
``provenance.json``. Nothing is typed a second time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from equilibria.companion.claims.markup import markdown_table, section_address
from equilibria.companion.claims.verdicts import Verdict
from equilibria.paths import figures_folder

__all__ = ["Place", "long_map", "places", "short_map"]

# The kinds of places in the order of the map; whatever is none of them belongs to the text.
KINDS = ("Definition", "Theorem", "Fig.", "Table")
HEADINGS = {
    "Definition": "Definition and theorems",
    "Theorem": "Definition and theorems",
    "Fig.": "Figures",
    "Table": "Tables",
}


@dataclass(frozen=True)
class Place:
    """A theorem, figure, table or section of the paper, and the verdicts on what it claims."""

    name: str
    verdicts: tuple[Verdict, ...]

    @property
    def heading(self) -> str:
        """Under which heading of the map it stands."""
        return HEADINGS.get(self.name.split()[0], "Text")


def places(verdicts: Iterable[Verdict]) -> list[Place]:
    """Every place that a claim of the paper names: theorems, figures, tables, then the text."""
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if not verdict.claim.ours:
            for name in verdict.claim.places:
                found.setdefault(name, []).append(verdict)
    return [Place(name, tuple(found[name])) for name in sorted(found, key=_order)]


def long_map(verdicts: list[Verdict], profile: str) -> str:
    """Markdown with one row per place and claim, for a page in the project's root folder.

    A row has the claim, the notebook's section, the figure, the verdict, the command that makes
    all of it again, and how many seconds that took. What was not run has no command.
    """
    header = ("paper", "claim", "notebook", "figure", "verdict", "again", "time")
    parts: list[str] = []
    found = places(verdicts)
    for heading in dict.fromkeys(place.heading for place in found):
        rows = [
            (place.name, *_long_row(verdict, profile))
            for place in found
            if place.heading == heading
            for verdict in place.verdicts
        ]
        parts += [f"## {heading}", markdown_table(header, rows)]
    return "\n\n".join(parts)


def short_map(verdicts: list[Verdict], profile: str) -> str:
    """Markdown with one row per theorem, figure and table, for the README."""
    rows = [_short_row(place, profile) for place in places(verdicts) if place.heading != "Text"]
    return markdown_table(("paper", "here", "verdict", "again"), rows)


def _order(name: str) -> tuple[int, list[int], str]:
    kind = name.split()[0]
    place = KINDS.index(kind) if kind in KINDS else len(KINDS)
    return place, [int(digits) for digits in re.findall(r"\d+", name)], name


def _long_row(verdict: Verdict, profile: str) -> tuple[str, ...]:
    claim = verdict.claim
    notebook = f"[{claim.section or claim.notebook}]({section_address(claim, 'notebooks')})"
    figure = ""
    if claim.figure:
        figure = f"[{claim.figure}](figures/{profile}/{claim.notebook}/{claim.figure}.png)"
    command, time = _again(verdict, profile)
    return claim.claim, notebook, figure, verdict.word, command, time


def _short_row(place: Place, profile: str) -> tuple[str, ...]:
    cells = {}
    for verdict in place.verdicts:
        claim = verdict.claim
        address = section_address(claim, "notebooks")
        cells[address] = f"[{claim.section or claim.notebook}]({address})"
    words = ", ".join(dict.fromkeys(verdict.word for verdict in place.verdicts))
    again = [_again(verdict, profile) for verdict in place.verdicts]
    runs = [f"{command} ({time})" for command, time in dict.fromkeys(again) if command]
    return place.name, ", ".join(cells.values()), words, ", ".join(runs)


def _again(verdict: Verdict, profile: str) -> tuple[str, str]:
    """The command that measures a claim again, and how long its notebook's last whole run took.

    Both are empty where the claim is not run in this profile.
    """
    notebook = verdict.claim.notebook
    record = figures_folder() / profile / notebook / "provenance.json"
    if verdict.word == "not run" or not record.is_file():
        return "", ""
    command = f"make reproduce ONLY={notebook.partition('_')[0]}"
    if profile != "quick":
        command += f" PROFILE={profile}"
    seconds = json.loads(record.read_text(encoding="utf-8"))["wall_time"]
    return f"`{command}`", f"{seconds:.0f} s"
