"""Pages: the verdicts in the README, in the full record of a profile, and at a notebook's end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tabulate import tabulate

from equilibria.companion.claims.markup import escape, markdown_table, section_address
from equilibria.companion.claims.model import Claim, ClaimsError
from equilibria.companion.claims.paper_map import short_map
from equilibria.companion.claims.record import Record, read
from equilibria.companion.claims.values import show
from equilibria.companion.claims.verdicts import WORDS, Finding, Verdict
from equilibria.files import write_atomically
from equilibria.paths import figures_folder, project_root

__all__ = [
    "BEGIN",
    "END",
    "MAP_BEGIN",
    "MAP_END",
    "count",
    "full_page",
    "notebook_table",
    "result_box",
    "terminal_table",
    "write_pages",
]

BEGIN, END = "<!-- verdicts: written by `equilibria check` -->", "<!-- end of verdicts -->"
MAP_BEGIN, MAP_END = "<!-- map: written by `equilibria check` -->", "<!-- end of map -->"
_STATES = {"holds": "holds", "misses": "**misses**", "missing": "**no number**"}


def count(verdicts: Iterable[Verdict]) -> str:
    """How many claims got which verdict, in one sentence."""
    verdicts = list(verdicts)
    words: Counter[str] = Counter(verdict.word for verdict in verdicts)
    order = ("reproduced", "partly", "not reproduced", "not run")
    parts = [f"{words[word]} {word}" for word in order if words[word]]
    return f"{len(verdicts)} claims: {', '.join(parts)}."


def terminal_table(verdicts: list[Verdict]) -> str:
    """Every claim and check as aligned text, and their count."""
    rows: list[tuple[str, str, str, str]] = []
    for verdict in verdicts:
        rows.append((verdict.word, verdict.claim.id, "", ""))
        for finding in verdict.findings:
            state = f"  {finding.state}"
            wanted = finding.check.predicate.words()
            rows.append((state, f"  {finding.check.id}", wanted, finding.here))
    table = tabulate(rows, headers=("verdict", "claim, check", "wanted", "here"), tablefmt="plain")
    return f"{table}\n{count(verdicts)}"


def notebook_table(verdicts: list[Verdict]) -> str:
    """Markdown for the end of a notebook: its claims, misses first, with every check."""
    ordered = sorted(verdicts, key=lambda verdict: WORDS.index(verdict.word))
    return "\n\n".join(_claim_block(verdict, heading="####") for verdict in ordered)


def result_box(verdicts: list[Verdict]) -> str:
    """Markdown for the top of a notebook: one row per claim, misses first.

    Where a claim misses, `here` is its first check that does.
    """
    rows = []
    for verdict in sorted(verdicts, key=lambda verdict: WORDS.index(verdict.word)):
        misses = [finding for finding in verdict.findings if finding.state != "holds"]
        here = "-"
        if verdict.findings:
            shown = (misses or list(verdict.findings))[0]
            here = f"{shown.check.says}: {shown.here}"
        word = f"**{verdict.word}**" if misses else verdict.word
        rows.append((verdict.claim.claim, _published(verdict.claim) or "-", here, word))
    return f"{count(verdicts)}\n\n{markdown_table(('claim', 'paper', 'here', 'verdict'), rows)}"


def write_pages(verdicts: list[Verdict], profile: str) -> list[Path]:
    """Write ``figures/<profile>/README.md`` and, for ``quick``, the tables in the README.

    Returns what was written. Raises `ClaimsError` where the README has lost the table's place.
    """
    folder = figures_folder() / profile
    folder.mkdir(parents=True, exist_ok=True)
    written = [write_atomically(folder / "README.md", full_page(verdicts, profile))]
    if profile == "quick" and folder.is_relative_to(project_root()):
        written.append(_write_summary(verdicts, folder))
    return written


def _write_summary(verdicts: list[Verdict], folder: Path) -> Path:
    path = project_root() / "README.md"
    link = folder.relative_to(project_root()).as_posix()
    table = _summary(verdicts, link)
    block = f"{count(verdicts)} The whole record: [{link}]({link}/README.md).\n\n{table}"
    text = _put_between(path.read_text(encoding="utf-8"), BEGIN, END, block)
    if text is None:
        raise ClaimsError("README.md has lost the two lines between which the verdicts stand")
    # The map of the paper stands there as well, if the README has the two lines for it.
    if MAP_BEGIN in text:
        text = _put_between(text, MAP_BEGIN, MAP_END, short_map(verdicts, folder.name))
        if text is None:
            raise ClaimsError("README.md has lost the line that ends the map of the paper")
    return write_atomically(path, text)


def _put_between(text: str, begin: str, end: str, block: str) -> str | None:
    """``text`` with ``block`` between two of its lines; None where it lacks one of them."""
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        return None
    return f"{before}{begin}\n{block}\n{end}{after}"


def _summary(verdicts: list[Verdict], link: str) -> str:
    """The claims that have a short form; a dagger marks those with a caveat."""
    rows = []
    for verdict in verdicts:
        claim = verdict.claim
        if claim.summary is None:
            continue
        word = f"**{verdict.word}**" + (" †" if claim.caveat else "")
        see = f"[notebook]({section_address(claim, 'notebooks')})"
        if claim.figure:
            see = f"[figure]({link}/{claim.notebook}/{claim.figure}.png), {see}"
        rows.append((claim.summary, _published(claim), verdict.here, word, see))
    table = markdown_table(("claim", "published", "here", "verdict", "see"), rows)
    return f"{table}\n\n† Read the caveat in the whole record first."


def full_page(verdicts: list[Verdict], profile: str) -> str:
    """The whole record of a profile: every claim with every check, and the history of changes."""
    paper = [verdict for verdict in verdicts if not verdict.claim.ours]
    ours = [verdict for verdict in verdicts if verdict.claim.ours]
    parts = [
        f"# Verdicts, profile `{profile}`",
        f"Written by `equilibria check --profile {profile}`. A claim is *reproduced* when every "
        "check holds, *partly* when its first check holds, and *not reproduced* otherwise; "
        "explanations never change a verdict. *Bound* says where a check's bound comes from: "
        "the paper's published number, a theorem, or a choice of ours, with its reason.",
        f"Of the paper: {count(paper)} Of this project: {count(ours)}",
        "## Claims of the paper",
        *(_claim_block(verdict, heading="###", links=True) for verdict in paper),
        "## Claims of this project",
        *(_claim_block(verdict, heading="###", links=True) for verdict in ours),
        "## History",
        _history(read(), profile),
    ]
    return "\n\n".join(parts) + "\n"


def _history(record: Record, profile: str) -> str:
    entries = [entry for entry in record.history if entry["profile"] == profile]
    if not entries:
        return "No predicate, bound or verdict was changed since the record began."
    lines = ["Whoever changes a predicate, a bound or a verdict says why, and it stays here."]
    for entry in reversed(entries):
        lines.append(f"- {entry['date']}: {entry['reason']}")
        lines += [f"  - {escape(change)}" for change in entry["changes"]]
    return "\n".join(lines)


def _claim_block(verdict: Verdict, *, heading: str, links: bool = False) -> str:
    """One claim with its sentence, verdict, caveat and checks, in Markdown."""
    claim = verdict.claim
    parts = [f"{heading} {verdict.word}: {claim.id}", f"{claim.claim} ({', '.join(claim.places)})"]
    notes = [_published_sentence(claim), claim.caveat or ""]
    notes += [f"Not run in `{name}`: {why}" for name, why in claim.not_run.items()]
    if links:
        notes.append(_links(claim))
    parts += [note for note in notes if note]
    if verdict.findings:
        rows = [_check_row(finding) for finding in verdict.findings]
        parts.append(markdown_table(("check", "wanted", "here", "", "bound"), rows))
    return "\n\n".join(parts)


def _check_row(finding: Finding) -> tuple[str, str, str, str, str]:
    check = finding.check
    bound = check.bound_from + (f": {check.reason}" if check.reason else "")
    return check.says, check.predicate.words(), finding.here, _STATES[finding.state], bound


def _links(claim: Claim) -> str:
    links = [f"[notebook]({section_address(claim, '../../notebooks')})"]
    if claim.section:
        links[0] += f", “{claim.section}”"
    if claim.figure:
        links.append(f"[figure]({claim.notebook}/{claim.figure}.png)")
    if claim.deviation:
        links.append(f"[explanation](../../DEVIATIONS.md#{claim.deviation})")
    return " · ".join(links)


def _published(claim: Claim) -> str:
    return "; ".join(f"{name} {show(value)}" for name, value in claim.published.items())


def _published_sentence(claim: Claim) -> str:
    text = _published(claim)
    return f"Published: {text}." if text else ""
