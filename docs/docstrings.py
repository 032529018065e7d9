"""Docstrings of this project as reStructuredText, for the pages of the library.

A docstring here is plain text: paragraphs, tables, examples, and lists of arguments in aligned
columns. Its bars mean absolute values and norms, and its stars mean solutions.
"""

import re
from collections.abc import Iterator

from docutils.parsers.rst.states import Inliner

# A name, two spaces or more, and what it is; further lines of the same entry are indented.
# A formula may have wide gaps as well; it has no name in front of them.
ENTRY = re.compile(r"((?:[^\s=]+|\S+=\S+)(?: [^\s=]+)*) {2,}(\S.*)")


def take_bars_literally() -> None:
    """Make |y| text: reStructuredText would look for a substitution called y."""

    def plain(inliner, match, line_number):  # what docutils does with markup that it must not read
        end = match.end("start")
        return match.string[:end], [], match.string[end:], []

    Inliner.dispatch["|"] = plain


def to_rst(lines: list[str]) -> list[str]:
    """The lines of a docstring, with its lists of arguments as definition lists."""
    converted: list[str] = []
    for block in _blocks(lines):
        converted += [*_convert(block), ""]
    return converted


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
        elif block:
            yield block
            block = []


def _convert(block: list[str]) -> list[str]:
    first = block[0]
    if re.match(r"=+ +=|>>>", first):
        return block
    if first.startswith("|") and re.match(r"\|[-|]+$", "".join(block[1:2])):
        return list(_table(block))
    if first.startswith(" "):  # formulas, whose columns mean something
        return ["::", "", *block]
    count = _entries(block)
    rest = [_escape(line) for line in block[count:]]
    return [*_definitions(block[:count]), "", *rest] if count else rest


def _table(block: list[str]) -> Iterator[str]:
    """A table in Markdown as a list-table."""
    yield from (".. list-table::", "   :header-rows: 1", "")
    for line in [block[0], *block[2:]]:
        for column, cell in enumerate(re.split(r" *(?<!\\)\| *", line.strip()[1:-1].strip())):
            yield f"   {'  ' if column else '* '}- {_escape(cell)}"


def _entries(block: list[str]) -> int:
    """How many of a block's first lines are a list in aligned columns; 0 for a paragraph."""
    if not ENTRY.fullmatch(block[0]):
        return 0
    for count, line in enumerate(block):
        after = block[count + 1] if count + 1 < len(block) else ""
        if not (line.startswith(" ") or _entry(line) or after.startswith(" ")):
            return count if count > 1 else 0
    return len(block)


def _entry(line: str) -> re.Match[str] | None:
    """Name and text; a name as wide as its column may have a single space behind it."""
    return ENTRY.fullmatch(line) or re.fullmatch(r"(`+[^`]+`+) (\S.*)", line)


def _definitions(block: list[str]) -> Iterator[str]:
    for line in block:
        if line.startswith(" "):
            yield f"    {_escape(line.strip())}"
        elif entry := _entry(line):
            yield _term(entry[1])
            yield f"    {_escape(entry[2])}"
        else:  # names too long for their column: the text begins on the next line
            yield _term(line)


def _term(names: str) -> str:
    return names if "`" in names else f"``{names}``"


def _escape(line: str) -> str:
    """``line`` with the bars, stars and underscores of formulas as text, outside of code."""
    code_or_emphasis = r"(``.+?``|`[^`]+`|(?<!\w)\*(?=\S)[^*]+(?<=\S)\*(?!\w))"
    parts = re.split(code_or_emphasis, line)
    parts[::2] = [re.sub(r"\*|(?<=\w)_(?!\w)|^\|", r"\\\g<0>", part) for part in parts[::2]]
    # `.success` is an attribute of what the text is about, and no reference.
    return re.sub(r"(?<!`)`(\.[^`]+)`(?!`)", r"``\1``", "".join(parts))
