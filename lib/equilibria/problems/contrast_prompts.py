"""Prompts in pairs that differ in one word or phrase, which decides the sense of a word.

The paper's Figs. 8-9 and Table 2 ask a language model 200 such pairs: "Explain what charge means in
electromagnetism." and "Explain what charge means in criminal law.". The authors' own pairs are in
their repository and are not copied here: these words, fields and phrasings are this project's.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PHRASINGS", "SENSES", "ContrastPrompts", "contrast_prompts"]

PHRASINGS = (
    "Explain what {word} means in {field}.",
    "In {field}, explain what is meant by {word}.",
    "What is the meaning of {word} in {field}?",
    "Describe {word} as the term is used in {field}.",
)

# Each ambiguous word, with the fields in which it has one sense and the other.
SENSES = {
    "charge": ("electromagnetism", "criminal law"),
    "field": ("algebra", "agriculture"),
    "cell": ("biology", "prison administration"),
    "bond": ("chemistry", "finance"),
    "current": ("electronics", "oceanography"),
    "root": ("botany", "arithmetic"),
    "stem": ("botany", "linguistics"),
    "culture": ("microbiology", "anthropology"),
    "operation": ("surgery", "arithmetic"),
    "resistance": ("electronics", "military history"),
    "power": ("physics", "politics"),
    "force": ("mechanics", "policing"),
    "wave": ("physics", "hairdressing"),
    "plate": ("geology", "dentistry"),
    "scale": ("music", "cartography"),
    "key": ("music", "cryptography"),
    "note": ("music", "banking"),
    "pitch": ("music", "cricket"),
    "bar": ("music", "the legal profession"),
    "score": ("music", "sports"),
    "movement": ("music", "watchmaking"),
    "bridge": ("dentistry", "civil engineering"),
    "crown": ("dentistry", "monarchy"),
    "organ": ("anatomy", "church music"),
    "tissue": ("histology", "paper manufacturing"),
    "vessel": ("anatomy", "shipping"),
    "muscle": ("anatomy", "organised crime"),
    "virus": ("medicine", "computer security"),
    "host": ("parasitology", "television"),
    "bug": ("entomology", "programming"),
    "shell": ("zoology", "operating systems"),
    "tree": ("forestry", "graph theory"),
    "branch": ("forestry", "retail banking"),
    "ring": ("abstract algebra", "jewellery"),
    "group": ("abstract algebra", "popular music"),
    "function": ("mathematics", "event catering"),
    "matrix": ("linear algebra", "geology"),
    "mean": ("statistics", "moral philosophy"),
    "base": ("chemistry", "baseball"),
    "solution": ("chemistry", "problem solving"),
    "reaction": ("chemistry", "political history"),
    "element": ("chemistry", "set theory"),
    "mole": ("chemistry", "espionage"),
    "mould": ("mycology", "metal casting"),
    "fault": ("geology", "tennis"),
    "depression": ("meteorology", "psychiatry"),
    "front": ("meteorology", "warfare"),
    "interest": ("banking", "psychology"),
    "stock": ("cooking", "investment"),
    "trial": ("criminal law", "medical research"),
}


@dataclass(frozen=True)
class ContrastPrompts:
    """Two prompts that differ in the field alone, and so in the sense of ``word``."""

    word: str
    first: str
    second: str


def contrast_prompts() -> list[ContrastPrompts]:
    """The 200 pairs: each of 50 words in each of 4 phrasings, always in the same order.

    >>> contrast_prompts()[0].second
    'Explain what charge means in criminal law.'
    """
    pairs: list[ContrastPrompts] = []
    for phrasing in PHRASINGS:
        for word, (first, second) in SENSES.items():
            pairs.append(
                ContrastPrompts(
                    word,
                    phrasing.format(word=word, field=first),
                    phrasing.format(word=word, field=second),
                )
            )
    return pairs
