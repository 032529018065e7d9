"""The paper's protocol for Huginn-0125: Figs. 8-9 and Table 2, for whoever has the weights.

Two prompts differ in one word or phrase. At each t the model answers both greedily, up to
``max_length`` tokens with the prompt. With d the word-level Levenshtein distance,

    as released   d(prompt + answer, prompt' + answer') / d(prompt, prompt')
    answers only  d(answer, answer') / d(prompt, prompt')

The first is what the paper's experiments compute. Figs. 8-9 show its mean over the pairs along t.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from tqdm.auto import tqdm

from equilibria.checkpoints import CheckpointError
from equilibria.checks import require, require_int
from equilibria.files import DataError, write_atomically
from equilibria.operators.decoding import generate
from equilibria.operators.huginn import load_huginn, load_tokenizer
from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.paths import data_folder
from equilibria.problems.cache import recipe_key
from equilibria.problems.contrast_prompts import ContrastPrompts, contrast_prompts
from equilibria.problems.edit_distance import word_distances
from equilibria.studies.language.asking import END, ask, prompt_ids
from equilibria.training.records import STOPPED

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["Ratios", "answers_along_t", "ask_huginn", "ratios_along_t", "report"]

TIMES = (2, 4, 6, 8, 10, 12, 14, 16)  # of Figs. 8-9
TABLE_TIMES = (2, 4, 8, 16, 32)  # of Table 2

# What one pair gave: for each prompt, per t, [prompt plus answer, answer].
PairTexts = dict[str, list[list[str]]]


@dataclass(frozen=True)
class Ratios:
    """Ratios of word distances per t: mean and standard deviation over the first ``pairs`` pairs.

    The standard deviation of one pair is 0. `released` counts prompt plus answer, `answers` the
    answers only.
    """

    pairs: int
    times: list[int]
    released: list[float]
    released_spread: list[float]
    answers: list[float]
    answers_spread: list[float]


def ratios_along_t(
    model: LoopedTransformer,
    tokenizer: Tokenizer,
    pairs: Sequence[ContrastPrompts],
    times: Sequence[int],
    *,
    max_length: int = 128,
    start_seed: int = 0,
    minutes: float | None = None,
    progress: bool = True,
) -> Ratios:
    """The ratios of word distances at each t of ``times``, over the pairs that are done.

    Arguments and errors are those of `answers_along_t`.
    """
    texts = answers_along_t(
        model,
        tokenizer,
        pairs,
        times,
        max_length=max_length,
        start_seed=start_seed,
        minutes=minutes,
        progress=progress,
    )
    asked = pairs[: len(texts)]
    prompts = word_distances([p.first for p in asked], [p.second for p in asked]).double()
    ratios = Ratios(len(texts), list(times), [], [], [], [])
    for i in range(len(times)):
        first = [pair["first"][i] for pair in texts]
        second = [pair["second"][i] for pair in texts]
        whole = word_distances([text[0] for text in first], [text[0] for text in second])
        answer = word_distances([text[1] for text in first], [text[1] for text in second])
        _append(whole / prompts, ratios.released, ratios.released_spread)
        _append(answer / prompts, ratios.answers, ratios.answers_spread)
    return ratios


def answers_along_t(
    model: LoopedTransformer,
    tokenizer: Tokenizer,
    pairs: Sequence[ContrastPrompts],
    times: Sequence[int],
    *,
    max_length: int = 128,
    start_seed: int = 0,
    minutes: float | None = None,
    progress: bool = True,
) -> list[PairTexts]:
    """What the model says to the pairs, in order: ``pair["first"][i]`` at ``times[i]``.

    Each entry holds the prompt plus answer, and the answer.

    max_length  the most tokens of a prompt and its answer together
    start_seed  the seed of the random start state, the same for all prompts
    minutes     no further pair begins once they are over; None for no limit

    What is done is kept in data/huginn_pairs/KEY.json, which is written after each pair; the same
    call continues there. KEY stands for the weights, the tokenizer, the prompts and the arguments.

    Raises ValueError for no pairs, for no times, and for a prompt of ``max_length`` tokens or more;
    DataError for a record that cannot be read.
    """
    require(len(pairs) > 0, "pairs", pairs, "at least one pair")
    require(len(times) > 0, "times", times, "at least one t")
    require_int("max_length", max_length, least=2)
    recipe = {
        "model": _digest(model),
        "tokenizer": hashlib.sha256(tokenizer.to_str().encode()).hexdigest(),
        "pairs": [asdict(pair) for pair in pairs],
        "times": list(times),
        "max_length": max_length,
        "start_seed": start_seed,
    }
    path = data_folder() / "huginn_pairs" / f"{recipe_key(recipe)}.json"
    texts = _read(path)
    begun = time.monotonic()
    with tqdm(
        total=len(pairs), initial=len(texts), desc="pairs", unit="pair", disable=not progress
    ) as bar:
        for pair in pairs[len(texts) :]:
            texts.append(_pair_texts(model, tokenizer, pair, times, max_length, start_seed))
            write_atomically(path, json.dumps({"recipe": recipe, "texts": texts}) + "\n")
            bar.update()
            over = minutes is not None and time.monotonic() - begun > 60 * minutes
            if over and len(texts) < len(pairs):
                print(STOPPED)
                break
    return texts


def report(
    checkpoint: str,
    *,
    device: str = "cpu",
    revision: str | None = None,
    minutes: float | None = None,
) -> str:
    """Figs. 8-9 and Table 2 as text, measured of a checkpoint in Huginn's format.

    checkpoint, revision  as in `asking.ask`
    minutes               of the ratios, as in `answers_along_t`

    Table 2 is about the first pair. Errors are those of `answers_along_t`, and CheckpointError, in
    one line, when the weights cannot be had.
    """
    tokenizer = load_tokenizer(checkpoint, revision=revision)
    model = load_huginn(checkpoint, revision=revision, device=device)
    pairs = contrast_prompts()
    table = answers_along_t(model, tokenizer, pairs[:1], TABLE_TIMES)[0]
    ratios = ratios_along_t(model, tokenizer, pairs, TIMES, minutes=minutes)
    lines = [f"{ratios.pairs} of {len(pairs)} pairs, mean and standard deviation"]
    for i, t in enumerate(ratios.times):
        released = f"{ratios.released[i]:.2f} ({ratios.released_spread[i]:.2f})"
        answers = f"{ratios.answers[i]:.2f} ({ratios.answers_spread[i]:.2f})"
        lines.append(f"t = {t:2d}: as released {released}, answers only {answers}")
    for key, prompt in (("first", pairs[0].first), ("second", pairs[0].second)):
        lines.append(f"\n{prompt}")
        for t, (_, answer) in zip(TABLE_TIMES, table[key], strict=True):
            lines.append(f"t = {t:2d}: {answer.strip()}")
    return "\n".join(lines)


def ask_huginn(
    question: str, steps: int, *, checkpoint: str, device: str = "cpu", minutes: float | None = None
) -> str:
    """`report`, and the answer to a question of one's own; or one line that says why there is none.

    checkpoint  as in `asking.ask`; "" for none
    steps       iterations per token of that answer
    """
    if not checkpoint:
        return "Not run: the weights of Huginn-0125 are missing; set `model` to where they are."
    try:
        answer = ask(question, steps, checkpoint=checkpoint, device=device)
        pairs = report(checkpoint, device=device, minutes=minutes)
    except (CheckpointError, ValueError) as error:
        return f"Not run: {error}"
    return f"{question}\nt = {steps:2d}: {answer.strip()}\n\n{pairs}"


def _pair_texts(
    model: LoopedTransformer,
    tokenizer: Tokenizer,
    pair: ContrastPrompts,
    times: Sequence[int],
    max_length: int,
    start_seed: int,
) -> PairTexts:
    texts: PairTexts = {"first": [], "second": []}
    for t in times:
        for key, prompt in (("first", pair.first), ("second", pair.second)):
            whole, answer = _answer(model, tokenizer, prompt, t, max_length, start_seed)
            texts[key].append([whole, answer])
    return texts


def _answer(
    model: LoopedTransformer,
    tokenizer: Tokenizer,
    prompt: str,
    steps: int,
    max_length: int,
    start_seed: int,
) -> tuple[str, str]:
    """(prompt plus answer, answer), decoded without begin and end token."""
    ids = prompt_ids(tokenizer, prompt)
    if len(ids) >= max_length:
        raise ValueError(
            f"max_length must be above the {len(ids)} tokens of {prompt!r}, got {max_length}"
        )
    tokens = torch.tensor([ids], device=model.transformer.wte.weight.device)
    end = tokenizer.token_to_id(END)
    made = generate(
        model, tokens, steps, max_length - len(ids), start_seed=start_seed, end=end
    ).tokens[0]
    answer = made.tolist()
    if end in answer:
        answer = answer[: answer.index(end)]
    return tokenizer.decode(ids + answer), tokenizer.decode(answer)


def _append(ratios: Tensor, means: list[float], spreads: list[float]) -> None:
    means.append(ratios.mean().item())
    spreads.append(ratios.std().item() if len(ratios) > 1 else 0.0)


def _read(path: Path) -> list[PairTexts]:
    """The texts of the pairs that are done; none where there is no record."""
    if not path.exists():
        return []
    try:
        texts: list[PairTexts] = json.loads(path.read_text(encoding="utf-8"))["texts"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a record of pairs ({error}): delete it") from error
    return texts


def _digest(model: LoopedTransformer) -> str:
    """The sha256 of the architecture and the weights, which may be of any dtype."""
    digest = hashlib.sha256(repr(model.architecture).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().cpu().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
