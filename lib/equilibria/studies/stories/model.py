"""Models of the stories: how they read a story, loop over it and answer.

    x_s = Q(s) + q + Q(s) * q        each sentence by itself, with q = Q(question) in mind
    z_t = norm(block(z_{t-1} + x))   the loop over the sentences, z_0 = 0
    answer after s                   the likeliest word at sentence s of z_t

Q is one block that reads the words of one sentence, and the sum of what it makes of them. So the
loop alone connects sentences, and it has one state per sentence, not one per word.
The product of Q(s) and q tells at once whether a sentence names the object that was asked for:
without it, training can take long to find that out.

| symbol | here | shape |
|---|---|---|
| y = z | one state per sentence | (B, S, width) |
| x | `read(model, stories)` | (B, S, width) |
| G(y, x) | `model(z, x)` | (B, S, width) |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from equilibria.operators.looped_transformer import Architecture, LoopedTransformer
from equilibria.problems.stories import Stories
from equilibria.problems.story_language import Language, language
from equilibria.studies.language.loops import device_of, latent_states, require_times
from equilibria.training.records import CaseRecords

__all__ = [
    "KINDS",
    "LONGEST",
    "RECORDS",
    "STACK",
    "answers_along_t",
    "load",
    "model_kind",
    "names",
    "new",
    "read",
    "reports",
    "seeds",
]

LONGEST = 12  # sentences after the start in training
STACK = 16  # blocks of the untied stack: as many as the loop makes in training, on average
KINDS = ("", "once", "stack")  # the loop; its block once; as many untied blocks
# Attention fades with distance faster than in the parity model at the start of training, so that a
# sentence first listens to its neighbours. With the slow decay the loop learns to read a dozen
# sentences at once, which is right for the lengths of training and wrong for longer stories.
_STEEPER = 16


def names(profile: str) -> list[str]:
    """What can be trained, the same in every profile: the loop, its block once, an untied stack."""
    return ["stories", "stories-once", "stories-stack"]


def model_kind(name: str) -> str:
    """The entry of `KINDS` of a model's name. Raises ValueError for a name that is not known."""
    if name not in names("paper"):
        raise ValueError(f"name must be one of {names('paper')}, got {name!r}")
    return name.partition("-")[2]


def new(name: str, *, profile: str = "paper", seed: int = 0) -> LoopedTransformer:
    """An untrained model by name, e.g. "stories-stack"; every profile has the same.

    Seeds PyTorch's global generator.
    """
    blocks = STACK if model_kind(name) == "stack" else 1
    torch.manual_seed(seed)
    model = LoopedTransformer(
        Architecture(
            vocabulary=len(language().words),
            width=64,
            heads=4,
            hidden=168,
            prelude=1,
            core=blocks,
            coda=0,
            context=1024,
            injection="add",
            positions="distance",
            norms="pre",
            state_norm=True,
            tied=False,
        )
    )
    for parameter_name, parameter in model.named_parameters():
        if parameter_name.startswith("transformer.core_block") and "log_slope" in parameter_name:
            parameter.data += math.log(_STEEPER)
    return model


def _untrained(name: str, profile: str) -> LoopedTransformer:
    return new(name, profile=profile)


RECORDS = CaseRecords("stories", "paper", _untrained)
reports = RECORDS.reports
seeds = RECORDS.seeds


def load(
    name: str, *, seed: int = 0, profile: str | None = None
) -> tuple[LoopedTransformer, dict[str, Any]]:
    """(model, card) of a finished training. Raises CheckpointError where it cannot be had."""
    model, card = RECORDS.load(name, seed=seed, profile=profile)
    if not isinstance(model, LoopedTransformer):
        raise TypeError(f"{name} must be a LoopedTransformer, got {type(model).__name__}")
    return model, card


def read(model: LoopedTransformer, stories: Stories) -> Tensor:
    """X = Q_in(stories), (B, S, width): the encoded sentences, each beside the encoded question.

    A sentence that occurs several times is read once. Its words cannot see other sentences.
    """
    spoken: Language = stories.language
    device = device_of(model)
    # `place` says, for each sentence of the stories, which of the different ones it is
    different, place = torch.unique(stories.sentences, return_inverse=True)
    tokens = spoken.tokens[different]  # (different, L), filled up on the right
    is_word = torch.arange(tokens.shape[1]) < spoken.lengths[different, None]
    words = model.encode(tokens.to(device))  # (different, L, width)
    encoded = (words * is_word[..., None].to(device)).sum(1)
    sentences = encoded[place.to(device)]
    question = sentences[:, :1]
    return sentences + question + sentences * question


@torch.no_grad()
def answers_along_t(model: LoopedTransformer, stories: Stories, times: Sequence[int]) -> Tensor:
    """The words answered after each of the last n sentences, (len(times), B, n) on the CPU.

    Raises ValueError for times that do not rise from 1 on.
    """
    wanted = require_times(times)
    x = read(model, stories)
    answers = []
    for t, z in enumerate(latent_states(model, x, wanted[-1]), start=1):
        if t in wanted:
            answers.append(model.decode(z[:, -stories.length :]).argmax(-1).cpu())
    return torch.stack(answers)
