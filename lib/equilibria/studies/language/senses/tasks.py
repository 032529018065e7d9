"""The word senses and their models: a question is answered with a word's definition.

================  =========================================================
``senses``        Huginn's architecture at a small size: one block in a loop
``senses-once``   the same block, applied once
``senses-stack``  an untied stack of eight such blocks, as deep as the loop
                  is in training on average
================  =========================================================
"""

from __future__ import annotations

from functools import cache

from equilibria.operators.looped_transformer import Architecture, LoopedTransformer
from equilibria.problems import word_senses
from equilibria.problems.word_senses import Split, Vocabulary

__all__ = ["MEAN_DEPTH", "NAMES", "new", "split", "vocabulary"]

NAMES = ("senses", "senses-once", "senses-stack")
MEAN_DEPTH = 8  # iterations in training, on average


@cache
def split() -> Split:
    """The questions about the senses, for training and held out."""
    return word_senses.split(word_senses.load())


@cache
def vocabulary() -> Vocabulary:
    """The words of the questions for training and of their answers."""
    texts = []
    for prompt in split().train:
        texts += [prompt.text, prompt.sense.definition]
    return Vocabulary(texts)


def new(name: str) -> LoopedTransformer:
    """An untrained model of one of NAMES; draws from the global generator.

    It has one block in the loop and none outside: with four blocks, a single pass told the senses
    apart already, and a loop would have had nothing to do.
    """
    return LoopedTransformer(
        Architecture(
            vocabulary=len(vocabulary()),
            width=128,
            heads=4,
            hidden=320,
            prelude=0,
            core=MEAN_DEPTH if name == "senses-stack" else 1,
            coda=0,
            context=128,
        )
    )
