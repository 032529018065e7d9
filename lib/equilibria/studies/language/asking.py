"""Ask a looped language model something in one's own words."""

from __future__ import annotations

import torch

from equilibria.operators.decoding import generate
from equilibria.operators.huginn import load_huginn, load_tokenizer
from equilibria.studies.language import load, senses

__all__ = ["ask", "ask_checkpoint"]


def ask(
    question: str,
    steps: int,
    *,
    model: str = "senses",
    seed: int = 0,
    new_tokens: int = 40,
    start_seed: int | None = 0,
    revision: str | None = None,
) -> str:
    """The answer of a model to ``question`` after ``steps`` iterations per token.

    model       "senses", the shipped small model, or what `ask_checkpoint` takes
    seed        of the small model's training
    start_seed  the seed of the random start state; None starts from zeros

    Raises ValueError for a question that the model cannot read, and CheckpointError, in one line,
    when the weights cannot be had.
    """
    if model == "senses":
        small, _ = load("senses", seed=seed)
        return senses.answer_question(
            small, question, steps, start_seed=start_seed, new_tokens=new_tokens
        )
    return ask_checkpoint(
        question,
        steps,
        checkpoint=model,
        new_tokens=new_tokens,
        start_seed=start_seed,
        revision=revision,
    )


def ask_checkpoint(
    question: str,
    steps: int,
    *,
    checkpoint: str,
    new_tokens: int = 40,
    start_seed: int | None = 0,
    revision: str | None = None,
) -> str:
    """The answer of a checkpoint in Huginn's format: a folder, or a repository of the Hub.

    "tomg-group-umd/huginn-0125" has 3.5 billion parameters: 7 GB to fetch, and as much memory, in
    bfloat16. Raises as `ask` does.
    """
    large = load_huginn(checkpoint, revision=revision)
    tokenizer = load_tokenizer(checkpoint, revision=revision)
    begin = tokenizer.token_to_id("<|begin_text|>")
    end = tokenizer.token_to_id("<|end_text|>")
    ids = tokenizer.encode(question, add_special_tokens=False).ids
    if not ids:
        raise ValueError(
            f"question must hold at least one token, got {question!r}: the prompt is empty"
        )
    if begin is not None:
        ids = [begin, *ids]
    made = generate(large, torch.tensor([ids]), steps, new_tokens, start_seed=start_seed, end=end)
    text: str = tokenizer.decode(made.tokens[0].tolist())
    return text
