"""Words with several meanings, and questions that ask for one of them (paper, section 5.4, Table 2, Figs. 8-9).

The paper's pairs of prompts differ by one word or phrase and so by the sense of an ambiguous word. Here `data/word_senses.csv`,
written for this project, holds for every word and field one definition and at least two one-sentence contexts. A question
names the field ("Explain what charge means in criminal law.") or gives a context from which the sense follows ("The court
read out the charge. What does charge mean here?"); its answer is the definition.

Held out from training: two phrasings, one of each kind, and some contexts whose words all occur elsewhere in training.
A question's tokens are <begin>, its words, <answer>; the answer's are the definition's words and <end>.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
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
_PHRASE = 4  # words that a contrast pair may differ in, on either side


class WordSensesError(DataError):
    """A file of senses that cannot be used; the message names the file and the line."""


@dataclass(frozen=True)
class Sense:
    """One meaning of a word: in which field, its definition, and sentences from which it follows."""

    word: str
    field: str
    definition: str
    contexts: tuple[str, ...]


@dataclass(frozen=True)
class Prompt:
    """A question, `text`, for the meaning `sense`; phrasing is one of PHRASINGS, context the sentence in it, if any."""

    sense: Sense
    phrasing: str
    context: str | None
    text: str


@dataclass(frozen=True)
class Split:
    """train; phrasing: new phrasings of what was trained; context: trained phrasings with sentences that were not."""

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
    """The senses of a CSV file (word, field, definition, context_1, context_2, ...), default the repository's own.

    Raises WordSensesError, naming file and line, where a column is missing or empty, a definition has not 12 to 30 words or
    occurs twice, a context lacks its word, or a word has not 2 to 4 fields, all different.
    """
    path = project_root() / "data" / "word_senses.csv" if path is None else Path(path)
    try:
        with open(path, newline="", encoding="utf-8") as file:
            header, *lines = [row for row in csv.reader(file)] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WordSensesError(f"{path} cannot be read ({error})") from error
    expected = [
        "word",
        "field",
        "definition",
        *(f"context_{i + 1}" for i in range(max(len(header) - 3, 2))),
    ]
    if header != expected:
        raise WordSensesError(f"{path}:1 the columns are {header}, expected {expected}")
    senses, seen = [], {}
    for number, row in enumerate(lines, start=2):
        complain = lambda text: WordSensesError(f"{path}:{number} {text}")  # noqa: E731
        if len(row) != len(header) or not all(cell.strip() for cell in row):
            raise complain(
                f"has {sum(bool(cell.strip()) for cell in row)} filled columns, expected {len(header)}"
            )
        word, field, definition, *contexts = row
        if not 12 <= len(words(definition)) <= 30:
            raise complain(f"the definition has {len(words(definition))} words, expected 12 to 30")
        for key in (("definition", definition), ("field", word, field)):
            if key in seen:
                raise complain(f"repeats the {key[0]} of line {seen[key]}")
            seen[key] = number
        for context in contexts:
            if word not in words(context):
                raise complain(f"the context {context!r} does not hold the word {word!r}")
        senses.append(Sense(word, field, definition, tuple(contexts)))
    for word, count in Counter(sense.word for sense in senses).items():
        if not 2 <= count <= 4:
            raise WordSensesError(f"{path}: {word!r} has {count} fields, expected 2 to 4")
    if not senses:
        raise WordSensesError(f"{path} holds no senses")
    return tuple(senses)


def ask(sense: Sense, phrasing: str, context: str | None = None) -> Prompt:
    """The question for a sense in one phrasing, with a context where the phrasing has a place for one."""
    return Prompt(
        sense,
        phrasing,
        context,
        phrasing.format(word=sense.word, field=sense.field, context=context),
    )


def _held_out_contexts(senses: Sequence[Sense]) -> set[str]:
    """Last contexts, of at most one sense in three, made of words that occur elsewhere in what remains."""
    known = Counter(
        w
        for s in senses
        for text in (s.word, s.field, s.definition, *s.contexts)
        for w in words(text)
    )
    held, since = set(), _HELD_OUT_SHARE
    for sense in senses:
        used, since = Counter(words(sense.contexts[-1])), since + 1
        if since >= _HELD_OUT_SHARE and all(known[w] > n for w, n in used.items()):
            known, since = known - used, 0
            held.add(sense.contexts[-1])
    return held


def split(senses: Sequence[Sense]) -> Split:
    """Every question about the senses, parted as the module's header says; the same for the same senses."""
    held = _held_out_contexts(senses)
    parts = {"train": [], "phrasing": [], "context": []}
    for sense in senses:
        for phrasing in PHRASINGS:
            new = phrasing in HELD_OUT_PHRASINGS
            for context in sense.contexts if "{context}" in phrasing else (None,):
                if not (new and context in held):
                    parts["phrasing" if new else "context" if context in held else "train"].append(
                        ask(sense, phrasing, context)
                    )
    return Split(**{name: tuple(prompts) for name, prompts in parts.items()})


def contrast_pairs(prompts: Iterable[Prompt]) -> list[tuple[Prompt, Prompt]]:
    """Pairs among the prompts with the same word and phrasing, another sense, that differ in one phrase of at most four words."""
    groups: dict[tuple[str, str], list[Prompt]] = {}
    for prompt in prompts:
        groups.setdefault((prompt.sense.word, prompt.phrasing), []).append(prompt)
    return [
        (a, b)
        for group in groups.values()
        for a, b in combinations(group, 2)
        if a.sense != b.sense and max(_span(words(a.text), words(b.text))) <= _PHRASE
    ]


def _span(a: list[str], b: list[str]) -> tuple[int, int]:
    """How many words of each are left between their common beginning and their common end."""
    shorter, start, end = min(len(a), len(b)), 0, 0
    while start < shorter and a[start] == b[start]:
        start += 1
    while end < shorter - start and a[-1 - end] == b[-1 - end]:
        end += 1
    return len(a) - start - end, len(b) - start - end


def levenshtein(a: Sequence, b: Sequence) -> int:
    """The least number of insertions, deletions and replacements that turn one sequence (of words) into the other.

    >>> levenshtein("what charge means in criminal law".split(), "what charge means in physics".split())
    2
    """
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        corner, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (x != y))
    return row[-1]


def word_f1(answer: str, truth: str) -> float:
    """Harmonic mean of precision and recall of the answer's words, counted with repetition; 0 when none is shared.

    >>> word_f1("the bark of a dog", "a dog")
    0.5714285714285714
    """
    given, wanted = Counter(words(answer)), Counter(words(truth))
    shared = (given & wanted).total()
    return 2 * shared / (given.total() + wanted.total()) if shared else 0.0


class Vocabulary:
    """A word-level tokenizer: lower-case words and punctuation marks, numbered from the special tokens on.

    >>> vocabulary = Vocabulary(["What is a bank?", "the edge of a river"])
    >>> vocabulary.decode(vocabulary.answer("the edge of a river")), len(vocabulary.question("What is a bank?"))
    ('the edge of a river', 7)
    """

    PAD, BEGIN, ANSWER, END = range(4)
    _SPECIAL = ("<pad>", "<begin>", "<answer>", "<end>")

    def __init__(self, texts: Iterable[str]):
        self.tokens = (
            *self._SPECIAL,
            *sorted({token for text in texts for token in self._parts(text)}),
        )
        self._ids = {token: i for i, token in enumerate(self.tokens)}

    def __len__(self) -> int:
        return len(self.tokens)

    @staticmethod
    def _parts(text: str) -> list[str]:
        return re.findall(r"[a-z0-9']+|[^\sa-z0-9']", text.lower())

    def encode(self, text: str) -> list[int]:
        """Token ids. Raises ValueError for an empty text or a word that is not in the vocabulary."""
        parts = self._parts(text)
        if not parts:
            raise ValueError(f"text must hold at least one word, got {text!r}: the prompt is empty")
        for part in parts:
            if part not in self._ids:
                near = difflib.get_close_matches(part, self.tokens[len(self._SPECIAL) :], n=1)
                raise ValueError(
                    f"text holds the unknown token {part!r}{f', did you mean {near[0]!r}?' if near else ''}"
                )
        return [self._ids[part] for part in parts]

    def question(self, text: str) -> list[int]:
        """<begin>, the text, <answer>."""
        return [self.BEGIN, *self.encode(text), self.ANSWER]

    def answer(self, text: str) -> list[int]:
        """The text, <end>."""
        return [*self.encode(text), self.END]

    def decode(self, ids: Iterable[int]) -> str:
        """The words up to <end>, without other special tokens; punctuation closes up to the word before it."""
        parts = []
        for i in ids:
            if i == self.END:
                break
            if i >= len(self._SPECIAL):
                parts.append(
                    self.tokens[i]
                    if re.match(r"\W", self.tokens[i]) and parts
                    else " " + self.tokens[i]
                )
        return "".join(parts).strip()
