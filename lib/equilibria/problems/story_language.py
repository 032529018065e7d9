"""The language of the stories: every sentence, in words, and what it changes.

The language is small enough to be listed. A story is a row of indices into the list, and one
table, `Language.after`, is the simulator: it says who has a thing after a sentence. Phrasings whose
name begins with `HELD_OUT`, and swaps of `Language.held_out_pairs`, are never shown in training.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import permutations

import torch
from torch import Tensor

from equilibria.checks import require, require_int
from equilibria.problems.reasoning import IGNORED

__all__ = [
    "HELD_OUT_QUESTION",
    "HELD_OUT_SWAP",
    "IDLE",
    "NOBODY",
    "OBJECTS",
    "PEOPLE",
    "QUESTIONS",
    "START",
    "SWAPS",
    "Language",
    "Sentence",
    "language",
    "split_words",
]

PEOPLE = ("Ann", "Bob", "Cid", "Dee", "Eve")
OBJECTS = ("ball", "hat", "key")
QUESTIONS = ("Who has the {thing}?", "Where is the {thing}?", "Say who has the {thing}.")
HELD_OUT_QUESTION = "Say where the {thing} is."
START = "{a} has the {thing}."
SWAPS = (
    "{a} and {b} swap.",
    "{a} swaps with {b}.",
    "{a} and {b} trade.",
    "{a} trades with {b}.",
    "Now {a} and {b} swap.",
)
HELD_OUT_SWAP = "Now {a} and {b} trade."
IDLE = (
    "{a} looks at the clock.",
    "{a} and {b} sing.",
    "{a} talks with {b}.",
    "{a} waves at {b}.",
    "Now {a} and {b} rest.",
)
NOBODY = "nobody"  # the answer until the story has said who has the object

_WORD = re.compile(r"[A-Za-z']+|[^\sA-Za-z']")


@dataclass(frozen=True)
class Sentence:
    """One sentence of the language.

    kind    "question", "start", "swap" or "idle" (changes nothing)
    phrase  which of the phrasings of this kind; the held-out one comes last
    people  indices of the people named, in this order
    thing   index of the object named, or None
    """

    text: str
    kind: str
    phrase: int
    people: tuple[int, ...] = ()
    thing: int | None = None


class Language:
    """All sentences about ``people`` persons (3 to 5), and what each of them changes.

    sentences         the T sentences
    words             the vocabulary; words[0] fills up what is empty
    tokens            (T, L) int64, the words of each sentence, filled up on the right with 0
    lengths           (T,) int64, words per sentence, the full stop included
    after             (T, people) int64: after sentence s, person after[s, p] has what p had before
    names             (people,) int64, the word of each name
    held_out_pairs    ordered pairs of people that no swap in training names in this order
    """

    def __init__(self, people: int):
        require_int("people", people, least=3)
        require(people <= len(PEOPLE), "people", people, f"at most {len(PEOPLE)}")
        self.people = people
        shift = people // 2 + 1
        self.held_out_pairs = frozenset((a, (a + shift) % people) for a in range(people))
        self.sentences = tuple(_sentences(people))
        split_texts = [split_words(sentence.text) for sentence in self.sentences]
        vocabulary = sorted({*PEOPLE, NOBODY}.union(*split_texts))
        self.words = ("", *vocabulary)
        self._word_ids = {word: i for i, word in enumerate(self.words)}
        self.lengths = torch.tensor([len(words) for words in split_texts])
        self.tokens = torch.zeros(len(self.sentences), int(self.lengths.max()), dtype=torch.int64)
        for row, words in zip(self.tokens, split_texts, strict=True):
            row[: len(words)] = torch.tensor([self._word_ids[word] for word in words])
        self.names = torch.tensor([self._word_ids[name] for name in PEOPLE[:people]])
        self.after = torch.arange(people).repeat(len(self.sentences), 1)
        for i, sentence in enumerate(self.sentences):
            if sentence.kind == "swap":
                a, b = sentence.people
                self.after[i, a], self.after[i, b] = b, a
        self._index = {tuple(words): i for i, words in enumerate(split_texts)}
        things = [-1 if s.thing is None else s.thing for s in self.sentences]
        self._things = torch.tensor(things)
        starts = [s.people[0] if s.kind == "start" else -1 for s in self.sentences]
        self._starters = torch.tensor(starts)
        self._neighbours: dict[int, Tensor] = {}
        self._pools: dict[tuple[str, str], Tensor] = {}

    def find(self, text: str) -> int:
        """The index of one sentence. Raises ValueError, in one line, for what it cannot read."""
        words = split_words(text)
        unknown = [word for word in words if word not in self._word_ids]
        if unknown:
            known = " ".join(word for word in self.words if word.isalpha())
            raise ValueError(f"unknown word {unknown[0]!r} in {text!r}; the words are: {known}")
        if tuple(words) not in self._index:
            raise ValueError(f"{text!r} has known words, but is no sentence of the language")
        return self._index[tuple(words)]

    def pool(self, kind: str, part: str) -> Tensor:
        """The indices of the sentences of a kind that a part of `PARTS` may use."""
        if (kind, part) in self._pools:
            return self._pools[kind, part]
        chosen = []
        for i, sentence in enumerate(self.sentences):
            if sentence.kind != kind:
                continue
            if kind == "swap":
                wanted_phrase = (sentence.phrase == len(SWAPS)) == (part == "phrasing")
                wanted_pair = (sentence.people in self.held_out_pairs) == (part == "roles")
                if not (wanted_phrase and wanted_pair):
                    continue
            if kind == "question" and (sentence.phrase == len(QUESTIONS)) != (part == "question"):
                continue
            chosen.append(i)
        self._pools[kind, part] = torch.tensor(chosen)
        return self._pools[kind, part]

    def neighbours(self, index: int) -> Tensor:
        """The swaps that differ from the swap ``index`` by one name and that training may show.

        The phrasing is the same, the held-out one included.
        """
        if index not in self._neighbours:
            this = self.sentences[index]
            chosen = []
            for i, other in enumerate(self.sentences):
                if other.kind != "swap" or other.phrase != this.phrase:
                    continue
                changed = sum(a != b for a, b in zip(this.people, other.people, strict=True))
                if changed == 1 and other.people not in self.held_out_pairs:
                    chosen.append(i)
            self._neighbours[index] = torch.tensor(chosen)
        return self._neighbours[index]

    def simulate(self, sentences: Tensor) -> Tensor:
        """The right answers, (B, S) words, of stories (B, S); IGNORED after the question itself.

        Raises ValueError where a story does not begin with its question.
        """
        asked = self._things[sentences[:, 0]]
        is_question = (asked >= 0) & (self._starters[sentences[:, 0]] < 0)
        if not bool(is_question.all()):
            raise ValueError("sentences: a story must begin with its question")
        nobody = self._word_ids[NOBODY]
        holder = torch.full_like(asked, -1)
        answers = torch.full_like(sentences, IGNORED)
        for i in range(1, sentences.shape[1]):
            sentence = sentences[:, i]
            placed = (self._starters[sentence] >= 0) & (self._things[sentence] == asked)
            moved = self.after[sentence, holder.clamp_min(0)]
            holder = torch.where(holder >= 0, moved, holder)
            holder = torch.where(placed, self._starters[sentence], holder)
            answers[:, i] = torch.where(holder >= 0, self.names[holder.clamp_min(0)], nobody)
        return answers


@cache
def language(people: int = 5) -> Language:
    """The language about 3 to 5 people; made once."""
    return Language(people)


def split_words(text: str) -> list[str]:
    """The words and marks of a text, in order; only names keep their capital letter.

    >>> split_words("Now Ann and Bob swap.")
    ['now', 'Ann', 'and', 'Bob', 'swap', '.']
    """
    words = []
    for word in _WORD.findall(text):
        name = word.capitalize()
        words.append(name if name in PEOPLE else word.lower())
    return words


def _sentences(people: int) -> list[Sentence]:
    """Every sentence of the language about this number of people."""
    sentences = []
    for thing, noun in enumerate(OBJECTS):
        for phrase, pattern in enumerate((*QUESTIONS, HELD_OUT_QUESTION)):
            text = pattern.format(thing=noun)
            sentences.append(Sentence(text, "question", phrase, thing=thing))
        for a in range(people):
            text = START.format(a=PEOPLE[a], thing=noun)
            sentences.append(Sentence(text, "start", 0, (a,), thing))
    for kind, patterns in (("swap", (*SWAPS, HELD_OUT_SWAP)), ("idle", IDLE)):
        for phrase, pattern in enumerate(patterns):
            named = 2 if "{b}" in pattern else 1
            for chosen in permutations(range(people), named):
                text = pattern.format(a=PEOPLE[chosen[0]], b=PEOPLE[chosen[-1]])
                sentences.append(Sentence(text, kind, phrase, chosen))
    return sentences
