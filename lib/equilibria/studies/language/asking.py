"""Ask a looped language model something in one's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from equilibria.operators.decoding import generate
from equilibria.operators.huginn import load_huginn, load_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["BEGIN", "END", "ask", "prompt_ids"]

BEGIN = "<|begin_text|>"
END = "<|end_text|>"


def prompt_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """The tokens of ``text``, after the begin token where the tokenizer has one.

    Raises ValueError for a text without a token.
    """
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    if not ids:
        raise ValueError(
            f"question must hold at least one token, got {text!r}: the prompt is empty"
        )
    begin = tokenizer.token_to_id(BEGIN)
    return ids if begin is None else [begin, *ids]


def ask(
    question: str,
    steps: int,
    *,
    checkpoint: str,
    new_tokens: int = 40,
    start_seed: int | None = 0,
    revision: str | None = None,
    device: str = "cpu",
) -> str:
    """The answer of a checkpoint to ``question`` after ``steps`` iterations per token.

    checkpoint  in Huginn's format: a folder, or a repository of the Hub;
                "tomg-group-umd/huginn-0125" has 3.5 billion parameters: 7 GB to fetch, and as much
                memory, in bfloat16
    new_tokens  the most tokens of the answer
    start_seed  the seed of the random start state; None starts from zeros
    revision    a commit of the repository; needed for all but Huginn, whose commit is pinned
    device      where the model answers

    Raises ValueError for a question that the model cannot read, and CheckpointError, in one line,
    when the weights cannot be had.
    """
    large = load_huginn(checkpoint, revision=revision, device=device)
    tokenizer = load_tokenizer(checkpoint, revision=revision)
    end = tokenizer.token_to_id(END)
    ids = prompt_ids(tokenizer, question)
    made = generate(
        large, torch.tensor([ids], device=device), steps, new_tokens, start_seed=start_seed, end=end
    )
    text: str = tokenizer.decode(made.tokens[0].tolist())
    return text
