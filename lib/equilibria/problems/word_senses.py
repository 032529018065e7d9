"""Ambiguous words, and questions that ask for one of their senses (paper, section 5.4, Table 2).

Two prompts of a pair in the paper differ by one word or phrase, and so by the sense of an
ambiguous word. Here `data/word_senses.csv`, written for this project, holds one definition and at
least two contexts of one sentence for every word and field. A question names the field ("Explain
what charge means in criminal law.") or gives a context from which the sense follows ("The court
read out the charge. What does charge mean here?"). Its answer is the definition.

Two phrasings, one of each kind, are held out from training, and so are some contexts; every word of
such a context occurs elsewhere in training. A question's tokens are <begin>, its words, <answer>;
an answer's tokens are the words of the definition and <end>.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

from equilibria.files import DataError
from equilibria.paths import project_root

__all__ = [
    "HELD_OUT_PHRASINGS",
    "PHRASINGS",
    "Prompt",
    "Sense",
    "Split",
    "Vocabulary",
    "WordSensesError",
    "contrast_pairs",
    "levenshtein",
    "load",
    "split",
    "word_f1",
    "words",
]

_FIELD_PHRASINGS = (
    "Explain what {word} means in {field}.",
    "What does {word} mean in {field}?",
    "Define {word} as used in {field}.",
    "In {field}, what does {word} mean?",
    "Tell me what {word} stands for in {field}.",
    "Give the meaning of {word} in {field}.",
    "Talking of {field}, explain the word {word}.",
    "As used in {field}, what is meant by {word}?",
    "In {field}, explain what is meant by {word}.",
)
_CONTEXT_PHRASINGS = (
    "{context} What does {word} mean here?",
    "{context} Explain what {word} means here.",
    "{context} Define {word} as used here.",
    "{context} Give the meaning of {word} here.",
    "Read this: {context} What is meant by {word}?",
    "What does {word} mean in this sentence? {context}",
    "Explain the word {word} in this sentence: {context}",
    "Here is a sentence. {context} Tell me what {word} means.",
    "Read this sentence: {context} Explain what {word} means here.",
)
PHRASINGS = _FIELD_PHRASINGS + _CONTEXT_PHRASINGS
HELD_OUT_PHRASINGS = (_FIELD_PHRASINGS[-1], _CONTEXT_PHRASINGS[-1])
_HELD_OUT_SHARE = 3  # at most one sense in so many has a context held out
_PHRASE = 4  # the most words, on either side, by which a contrast pair may differ


class WordSensesError(DataError):
    """A file of senses that cannot be used; the message names the file and the line."""


@dataclass(frozen=True)
class Sense:
    """One meaning of a word: its field, its definition, and sentences from which it follows."""

    word: str
    field: str
    definition: str
    contexts: tuple[str, ...]


@dataclass(frozen=True)
class Prompt:
    """A question ``text`` for the meaning ``sense``.

    ``phrasing`` is one of PHRASINGS; ``context`` is the sentence in it, if there is one.
    """

    sense: Sense
    phrasing: str
    context: str | None
    text: str


@dataclass(frozen=True)
class Split:
    """Questions to train on, and two kinds of held-out questions.

    train     for training
    phrasing  new phrasings of senses and contexts that occur in training
    context   phrasings that occur in training, with contexts that do not
    """

    train: tuple[Prompt, ...]
    phrasing: tuple[Prompt, ...]
    context: tuple[Prompt, ...]


def words(text: str) -> list[str]:
    """The words of a text, in lower case and without punctuation.

    >>> words("The court read out the charge.")
    ['the', 'court', 'read', 'out', 'the', 'charge']
    """
    return re.findall(r"[a-z0-9']+", text.lower())


def load(path: str | Path | None = None) -> tuple[Sense, ...]:
    """The senses of a CSV file, by default the repository's own.

    The columns are word, field, definition, context_1, context_2, and so on. Raises
    WordSensesError, naming file and line, when a column is missing or empty, when a definition does
    not have 12 to 30 words or occurs twice, when a context lacks its word, or when a word does not
    have 2 to 4 fields, all different.
    """
    path = project_root() / "data" / "word_senses.csv" if path is None else Path(path)
    header, rows = _read_rows(path)
    contexts = max(len(header) - 3, 2)
    expected = ["word", "field", "definition"]
    expected += [f"context_{i + 1}" for i in range(contexts)]
    if header != expected:
        raise WordSensesError(f"{path}:1 the columns are {header}, expected {expected}")
    senses: list[Sense] = []
    lines: dict[tuple[str, ...], int] = {}  # where each definition and each field was first given
    for number, row in enumerate(rows, start=2):
        where = f"{path}:{number}"
        sense = _parse_row(row, len(header), where)
        _require_new(("definition", sense.definition), lines, number, where)
        _require_new(("field", sense.word, sense.field), lines, number, where)
        senses.append(sense)
    for word, count in Counter(sense.word for sense in senses).items():
        if not 2 <= count <= 4:
            raise WordSensesError(f"{path}: {word!r} has {count} fields, expected 2 to 4")
    if not senses:
        raise WordSensesError(f"{path} holds no senses")
    return tuple(senses)


def _read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """(header, the other rows) of a CSV file."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WordSensesError(f"{path} cannot be read ({error})") from error
    if not rows:
        return [], []
    return rows[0], rows[1:]


def _parse_row(row: list[str], columns: int, where: str) -> Sense:
    filled = sum(bool(cell.strip()) for cell in row)
    if len(row) != columns or filled != columns:
        raise WordSensesError(f"{where} has {filled} filled columns, expected {columns}")
    word, field, definition, *contexts = row
    length = len(words(definition))
    if not 12 <= length <= 30:
        raise WordSensesError(f"{where} the definition has {length} words, expected 12 to 30")
    for context in contexts:
        if word not in words(context):
            raise WordSensesError(
                f"{where} the context {context!r} does not hold the word {word!r}"
            )
    return Sense(word, field, definition, tuple(contexts))


def _require_new(
    key: tuple[str, ...], lines: dict[tuple[str, ...], int], number: int, where: str
) -> None:
    if key in lines:
        raise WordSensesError(f"{where} repeats the {key[0]} of line {lines[key]}")
    lines[key] = number


def ask(sense: Sense, phrasing: str, context: str | None = None) -> Prompt:
    """The question for a sense in one phrasing, with a context if the phrasing asks for one."""
    text = phrasing.format(word=sense.word, field=sense.field, context=context)
    return Prompt(sense, phrasing, context, text)


def _held_out_contexts(senses: Sequence[Sense]) -> set[str]:
    """Last contexts of at most one sense in three; their words occur elsewhere in what remains."""
    remaining: Counter[str] = Counter()
    for sense in senses:
        for text in (sense.word, sense.field, sense.definition, *sense.contexts):
            remaining.update(words(text))
    held_out = set()
    senses_since = _HELD_OUT_SHARE  # senses since the last one with a held-out context
    for sense in senses:
        context = sense.contexts[-1]
        used = Counter(words(context))
        senses_since += 1
        occurs_elsewhere = all(remaining[word] > count for word, count in used.items())
        if senses_since >= _HELD_OUT_SHARE and occurs_elsewhere:
            remaining = remaining - used
            senses_since = 0
            held_out.add(context)
    return held_out


def split(senses: Sequence[Sense]) -> Split:
    """Every question about the senses in three parts; the same for the same senses.

    A new phrasing of a held-out context belongs to no part.
    """
    held_out = _held_out_contexts(senses)
    train: list[Prompt] = []
    new_phrasing: list[Prompt] = []
    new_context: list[Prompt] = []
    for sense, phrasing in product(senses, PHRASINGS):
        contexts: tuple[str | None, ...] = (None,)
        if "{context}" in phrasing:
            contexts = sense.contexts
        for context in contexts:
            phrasing_is_new = phrasing in HELD_OUT_PHRASINGS
            context_is_new = context in held_out
            prompt = ask(sense, phrasing, context)
            if phrasing_is_new and context_is_new:
                continue
            if phrasing_is_new:
                new_phrasing.append(prompt)
            elif context_is_new:
                new_context.append(prompt)
            else:
                train.append(prompt)
    return Split(tuple(train), tuple(new_phrasing), tuple(new_context))


def contrast_pairs(prompts: Iterable[Prompt]) -> list[tuple[Prompt, Prompt]]:
    """Pairs of prompts with the same word and phrasing but another sense.

    The two differ in one phrase of at most four words.
    """
    groups: dict[tuple[str, str], list[Prompt]] = {}
    for prompt in prompts:
        groups.setdefault((prompt.sense.word, prompt.phrasing), []).append(prompt)
    pairs = []
    for group in groups.values():
        for a, b in combinations(group, 2):
            if a.sense == b.sense:
                continue
            if max(_differing(words(a.text), words(b.text))) <= _PHRASE:
                pairs.append((a, b))
    return pairs


def _differing(a: list[str], b: list[str]) -> tuple[int, int]:
    """How many words of each lie between their common beginning and their common end."""
    shorter = min(len(a), len(b))
    start = 0
    while start < shorter and a[start] == b[start]:
        start += 1
    end = 0
    while end < shorter - start and a[-1 - end] == b[-1 - end]:
        end += 1
    return len(a) - start - end, len(b) - start - end


def levenshtein(a: Sequence[object], b: Sequence[object]) -> int:
    """The fewest insertions, deletions and replacements that turn ``a`` into ``b``.

    Our own eight lines, because the standard library has no such distance and difflib's
    ratio is another measure.

    >>> a = "what charge means in criminal law".split()
    >>> levenshtein(a, "what charge means in physics".split())
    2
    """
    # row[j] is the distance between the first i elements of a and the first j of b
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        corner = row[0]  # the distance at (i - 1, j - 1)
        row[0] = i
        for j, y in enumerate(b, start=1):
            above = row[j]
            row[j] = min(above + 1, row[j - 1] + 1, corner + (x != y))
            corner = above
    return row[-1]


def word_f1(answer: str, truth: str) -> float:
    """The harmonic mean of precision and recall of the answer's words, from 0 to 1.

    A word counts as often as it occurs; the result is 0 when no word is shared.

    >>> word_f1("the bark of a dog", "a dog")
    0.5714285714285714
    """
    answer_words, true_words = Counter(words(answer)), Counter(words(truth))
    shared = (answer_words & true_words).total()
    if not shared:
        return 0.0
    return 2 * shared / (answer_words.total() + true_words.total())


class Vocabulary:
    """A tokenizer of lower-case words and punctuation marks; the special tokens come first.

    >>> vocabulary = Vocabulary(["What is a bank?", "the edge of a river"])
    >>> vocabulary.decode(vocabulary.answer("the edge of a river"))
    'the edge of a river'
    >>> len(vocabulary.question("What is a bank?"))
    7
    """

    PAD, BEGIN, ANSWER, END = range(4)
    _SPECIAL = ("<pad>", "<begin>", "<answer>", "<end>")

    def __init__(self, texts: Iterable[str]):
        parts: set[str] = set()
        for text in texts:
            parts.update(self._parts(text))
        self.tokens = (*self._SPECIAL, *sorted(parts))
        self._ids = {token: i for i, token in enumerate(self.tokens)}

    def __len__(self) -> int:
        return len(self.tokens)

    @staticmethod
    def _parts(text: str) -> list[str]:
        return re.findall(r"[a-z0-9']+|[^\sa-z0-9']", text.lower())

    def encode(self, text: str) -> list[int]:
        """The token ids of a text.

        Raises ValueError for an empty text or a word that is not in the vocabulary.
        """
        parts = self._parts(text)
        if not parts:
            raise ValueError(f"text must hold at least one word, got {text!r}: the prompt is empty")
        for part in parts:
            if part not in self._ids:
                raise ValueError(f"text holds the unknown token {part!r}{self._hint(part)}")
        return [self._ids[part] for part in parts]

    def _hint(self, unknown: str) -> str:
        near = difflib.get_close_matches(unknown, self.tokens[len(self._SPECIAL) :], n=1)
        return f", did you mean {near[0]!r}?" if near else ""

    def question(self, text: str) -> list[int]:
        """<begin>, the text, <answer>."""
        return [self.BEGIN, *self.encode(text), self.ANSWER]

    def answer(self, text: str) -> list[int]:
        """The text, <end>."""
        return [*self.encode(text), self.END]

    def decode(self, ids: Iterable[int]) -> str:
        """The words up to <end>, without other special tokens.

        A punctuation mark follows the word before it without a space.
        """
        text = ""
        for i in ids:
            if i == self.END:
                break
            if i < len(self._SPECIAL):
                continue
            token = self.tokens[i]
            is_mark = re.match(r"\W", token) is not None
            text += token if is_mark and text else " " + token
        return text.strip()
