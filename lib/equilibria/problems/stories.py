"""Stories in plain English about people who swap what they hold (paper, section 5.4: our own task).

A story asks its question first. The start follows, then what happens, one sentence at a time:

    Who has the ball? Dee has the hat. Ann has the ball. Ann and Bob swap. Cid waves at Bob. ...

After every sentence the answer is one word, the name of the person who has the object now: here
*nobody*, *Ann*, *Bob*, *Bob*. All together hold a permutation of things (some hold nothing), and
each swap is a transposition. Following a permutation of five through a story of any length is
complete for the circuit class NC1 (Barrington 1989). So no model of bounded depth and precision
does it for every length, unless TC0 = NC1 (Liu et al. 2023; Merrill and Sabharwal 2023).

| symbol | meaning |
|---|---|
| n, `length` | sentences after the start |
| S | all sentences of a story: the question, one per object at the start, and n more |
| T | all sentences of the language |

The language is small enough to be listed, so a story is a row of indices into that list, and one
table, `Language.after`, is the simulator: it says who has a thing after a sentence.

Training never sees `HELD_OUT_SWAP`, `HELD_OUT_QUESTION`, the pairs of `Language.held_out_pairs`
in a swap in that order, or two sentences in a row that change nothing. Each of these is a part of
its own in `PARTS`. Every story belongs to one split, which follows from its sentences.
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
    "PARTS",
    "PEOPLE",
    "QUESTIONS",
    "SPLITS",
    "SWAPS",
    "Language",
    "Sentence",
    "Stories",
    "change_one_name",
    "draw",
    "language",
    "parse",
    "split_of",
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
SPLITS = ("train", "validation", "test")
PARTS = ("plain", "phrasing", "question", "roles", "order")

_IDLE_SHARE = 0.3  # chance that a sentence after a swap changes nothing
_IDLE_AGAIN = 0.5  # the same after a sentence that changes nothing, in the part "order" alone
_BUCKETS = 10  # of which one is validation, one is test, and the others are training
_PRIME = 2_147_483_647
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
        vocabulary = sorted({word for words in split_texts for word in words} | {*PEOPLE, NOBODY})
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


@dataclass(frozen=True)
class Stories:
    """Stories of one shape.

    sentences  (B, S) int64, indices into the language's sentences
    answers    (B, S) int64, the right word after each sentence, IGNORED after the question itself
    length     n, sentences after the start: the last n of the S
    """

    language: Language
    sentences: Tensor
    answers: Tensor
    length: int

    def text(self, row: int) -> str:
        """One story as it is read."""
        return " ".join(self.language.sentences[i].text for i in self.sentences[row].tolist())

    def answer_words(self, row: int) -> list[str]:
        """The right answers after each of the last n sentences of one story."""
        ids = self.answers[row, -self.length :].tolist()
        return [self.language.words[i] for i in ids]


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


def split_of(sentences: Tensor) -> Tensor:
    """The split that each story (B, S) belongs to, 0, 1, 2 for `SPLITS`: its sentences decide."""
    digest = torch.zeros(len(sentences), dtype=torch.int64)
    for column in sentences.T:
        digest = (digest * 1_000_003 + column + 1) % _PRIME
    digest = digest * 48_271 % _PRIME  # the last sentence alone must not decide
    return (digest // 1009 % _BUCKETS - (_BUCKETS - len(SPLITS))).clamp_min(0)


def draw(
    split: str,
    count: int,
    length: int,
    *,
    generator: torch.Generator | int,
    part: str = "plain",
    objects: int = 3,
    people: int = 5,
) -> Stories:
    """``count`` stories of ``length`` sentences after the start, S = 1 + objects + length.

    split    one of `SPLITS`; training has the part "plain" alone
    part     one of `PARTS`: as in training, or with one thing that training never shows, namely
             the held-out phrasing in every swap, the held-out question, the held-out pairs in every
             swap, or sentences in a row that change nothing
    objects  2 or 3
    people   3 to 5
    Raises ValueError for any other value.

    >>> stories = draw("train", 1, 3, objects=2, generator=3)
    >>> stories.text(0)  # doctest: +ELLIPSIS
    'Who has the hat? Dee has the ball. Eve has the hat. Bob talks with Cid. ...'
    """
    require_int("count", count, least=1)
    require_int("length", length, least=1)
    require(split in SPLITS, "split", split, f"one of {SPLITS}")
    require(part in PARTS, "part", part, f"one of {PARTS}")
    require(objects in (2, 3), "objects", objects, "2 or 3")
    if split == "train" and part != "plain":
        raise ValueError(f"part {part!r} is held out: the split 'train' has the part 'plain' alone")
    stream = _stream(generator)
    spoken = language(people)
    wanted = SPLITS.index(split)
    rows: list[Tensor] = []
    missing = count
    while missing > 0:
        candidates = _candidates(spoken, 2 * missing + 8, length, part, objects, stream)
        matching = candidates[split_of(candidates) == wanted][:missing]
        rows.append(matching)
        missing -= len(matching)
    sentences = torch.cat(rows)
    return Stories(spoken, sentences, spoken.simulate(sentences), length)


def change_one_name(
    stories: Stories, *, generator: torch.Generator | int
) -> tuple[Stories, Tensor]:
    """(the same stories with one name in one swap changed, which sentence that is (B,)).

    The sentence is drawn from the story's swaps, and the new name from those of
    `Language.neighbours`. Raises ValueError for a story without a swap.
    """
    stream = _stream(generator)
    spoken, sentences = stories.language, stories.sentences.clone()
    places = []
    for row in sentences:
        swaps = [j for j, i in enumerate(row.tolist()) if spoken.sentences[i].kind == "swap"]
        if not swaps:
            raise ValueError("stories: each must have a swap, got one without")
        place = swaps[int(torch.randint(len(swaps), (), generator=stream))]
        choices = spoken.neighbours(int(row[place]))
        row[place] = choices[int(torch.randint(len(choices), (), generator=stream))]
        places.append(place)
    changed = Stories(spoken, sentences, spoken.simulate(sentences), stories.length)
    return changed, torch.tensor(places)


def parse(text: str, *, people: int = 5) -> Stories:
    """One story that somebody typed: a question, at least one start, then any sentences.

    Raises ValueError, in one line, for unknown words, for a sentence that is not of the language
    and for an order that is no story.
    """
    spoken = language(people)
    parts = re.findall(r"[^.?!]+[.?!]?", text.strip())
    found = [spoken.find(part.strip()) for part in parts]
    kinds = [spoken.sentences[i].kind for i in found]
    starts = kinds.count("start")
    in_order = ["question", *["start"] * starts]
    if kinds[: 1 + starts] != in_order or kinds.count("question") != 1 or not starts:
        raise ValueError(
            "a story begins with one question, then says who has what, then what happens; got "
            + ", ".join(kinds)
        )
    sentences = torch.tensor([found])
    answers = spoken.simulate(sentences)
    if spoken.words[int(answers[0, starts])] == NOBODY:
        raise ValueError("the story does not say who has the object that it asks for")
    return Stories(spoken, sentences, answers, len(found) - 1 - starts)


def _stream(generator: torch.Generator | int) -> torch.Generator:
    """A generator, given one or a seed."""
    if isinstance(generator, torch.Generator):
        return generator
    return torch.Generator().manual_seed(generator)


def _sentences(people: int) -> list[Sentence]:
    """Every sentence of the language about so many people."""
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


def _candidates(
    spoken: Language,
    count: int,
    length: int,
    part: str,
    objects: int,
    generator: torch.Generator,
) -> Tensor:
    """Stories (count, S) of a part, whatever their split."""

    def pick(pool: Tensor, *shape: int) -> Tensor:
        return pool[torch.randint(len(pool), shape, generator=generator)]

    # who has what: the objects in the order in which they are named, and their holders
    things = torch.rand(count, len(OBJECTS), generator=generator).argsort(1)[:, :objects]
    holders = torch.rand(count, spoken.people, generator=generator).argsort(1)[:, :objects]
    starts = spoken.pool("start", part).view(len(OBJECTS), spoken.people)[things, holders]
    questions = spoken.pool("question", part).view(len(OBJECTS), -1)
    asked = things.gather(1, torch.randint(objects, (count, 1), generator=generator))[:, 0]
    phrase = torch.randint(questions.shape[1], (count,), generator=generator)
    question = questions[asked, phrase][:, None]

    # what happens
    swaps = pick(spoken.pool("swap", part), count, length)
    idle = pick(spoken.pool("idle", part), count, length)
    chance = torch.rand(count, length, generator=generator)
    again = _IDLE_AGAIN if part == "order" else 0.0
    is_idle = torch.zeros(count, dtype=torch.bool)
    events = []
    for i in range(length):
        is_idle = chance[:, i] < torch.where(is_idle, again, _IDLE_SHARE)
        events.append(torch.where(is_idle, idle[:, i], swaps[:, i]))
    return torch.cat([question, starts, torch.stack(events, 1)], 1)
