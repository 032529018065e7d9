"""How the models of the stories are trained: one recipe for the loop, its block once and a stack.

The curriculum grows from 4 to 12 sentences, by one whenever `_ENOUGH` of the last answers are
right. The answer after every sentence is graded, so it has the shorter stories in it. (From one
sentence on, some seeds learned to apply the last sentence to the start of the story, and then did
not get past two.) The loop makes as many loops as the story has sentences, and 2 to 5 more, all
with gradient. At full length, half of the steps first iterate freely, 14 to 46 times, and grade
the state 8 loops later: an answer that was reached has to stay. These steps also pay where the
state still moves and where a state close to it would not come back (`rest_penalty`), so that the
spectral radius of dG/dz is below one.

The explicit models make one pass, and as many steps on batches of the same kind.
They go on to the next length in any case, so that they see every length. Of the learning rates
0.3, 1 and 3 thousandths, 1 was best for the block once on validation stories, in trainings of 1 500
steps. Of 0.5, 1, 2 and 4 for the stack, 2 was best in such trainings, and 1 in a whole one.

All models keep the weights with the least cross-entropy on the validation stories.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from equilibria import splits, training
from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.problems.reasoning import IGNORED
from equilibria.problems.stories import Stories, draw
from equilibria.studies.stories.model import (
    LONGEST,
    RECORDS,
    model_kind,
    new,
    read,
)
from equilibria.training import parallel
from equilibria.training.visits import draw_int, graded_iterates, iterate_freely, separation

__all__ = ["Visit", "rest_penalty", "settings_of", "train", "validation_scores", "visit"]

_STEPS = {"quick": 20, "paper": 6000}
_BATCH = 64
_SHORTEST = 4  # sentences of the first stories
_ENOUGH = 0.97  # right last answers, running average, before the next length
_PATIENCE = 6  # the loop goes on to the next length after this part of the steps in any case
_EXTRA = (2, 5)  # loops beyond one per sentence, all graded
_FREE = (2, 34)  # free loops beyond one per sentence, at full length
_GRADED = 8  # loops with gradient after the free ones
_NEIGHBOURS = 16  # stories of a batch to whose states a close one is sought
_SEARCH = 10  # loops of the search
_SEPARATION = 0.2  # of close states over _GRADED loops: an allowed spectral radius of about 0.82
_PENALTY = 0.1
_VALIDATION_LENGTHS = (LONGEST, 2 * LONGEST, 4 * LONGEST)
_VALIDATION_COUNT = 100

Loss = Callable[[nn.Module, int, torch.Generator], Tensor]
Validate = Callable[[nn.Module], dict[str, float]]
Step = Callable[[Tensor, Tensor], Tensor]


def settings_of(profile: str, seed: int) -> training.Settings:
    """The settings of every model's training, the same for all."""
    steps = _STEPS[profile]
    return training.Settings(
        steps=steps,
        learning_rate=1e-3,
        weight_decay=0.01,
        clip=1.0,
        warmup=20,
        ema=0.99,
        seed=seed,
        save_every=10 if profile == "quick" else 50,
        validate_every=max(steps // 16, 10),
    )


@dataclass(frozen=True)
class Visit:
    """What a visit to a batch of stories found; ``loss`` and ``z`` carry gradients.

    loss   cross-entropy over all answers
    right  share of right last answers
    x, z   the stories as they were read, and the state at the end
    moved  how far the last loop moved the state, over the state's size: the mean over stories
    """

    loss: Tensor
    right: float
    x: Tensor
    z: Tensor
    moved: Tensor


def visit(
    model: LoopedTransformer, stories: Stories, *, free: int, graded: int, step: Step | None = None
) -> Visit:
    """A visit from z_0 = 0.

    free, graded  loops without and with gradient
    step          G, where it is not the model itself, for instance the same compiled
    """
    G = step or model
    x = read(model, stories)
    before = z = iterate_freely(G, model.start(x), x, free)
    for after in graded_iterates(G, z, x, graded):
        before, z = z, after
    logits = model.decode(z)
    right_words = stories.answers.to(logits.device)
    loss = functional.cross_entropy(
        logits.flatten(0, 1), right_words.flatten(), ignore_index=IGNORED
    )
    right = logits[:, -1].argmax(-1) == right_words[:, -1]
    moved = ((z - before).norm(dim=(1, 2)) / z.norm(dim=(1, 2))).mean()
    return Visit(loss, right.float().mean().item(), x, z, moved)


def rest_penalty(G: Step, visited: Visit, generator: torch.Generator) -> Tensor:
    """What is added to the loss where the state does not rest, or would not come back to rest.

    That is `Visit.moved`, and by how much states close to each other stay apart: the excess of
    their `separation` over `_SEPARATION`, the mean over some of the stories.
    """
    neighbours = _NEIGHBOURS // parallel.count()
    z = visited.z[:neighbours].detach()
    x = visited.x[:neighbours]
    apart = separation(G, z, x, search=_SEARCH, steps=_GRADED, generator=generator)
    return _PENALTY * (visited.moved + (apart - _SEPARATION).relu().mean())


@torch.no_grad()
def validation_scores(model: LoopedTransformer, kind: str) -> dict[str, float]:
    """How wrong the answers to validation stories are, per length, and the `selection` from it.

    wrong_at_N  share of wrong last answers at N sentences, after 2 N loops (one pass if explicit)
    selection   mean cross-entropy over all answers, of the lengths that this kind of model can be
                expected to reach: all of them for the loop, those of training otherwise
    """
    scores = {}
    losses = []
    for length in _VALIDATION_LENGTHS:
        stories = draw("validation", _VALIDATION_COUNT, length, generator=0)
        loops = 1 if kind else 2 * length
        asked = visit(model, stories, free=0, graded=loops)
        scores[f"wrong_at_{length}"] = 1 - asked.right
        if not kind or length <= LONGEST:
            losses.append(asked.loss.item())
    return scores | {"selection": sum(losses) / len(losses)}


@splits.trains
def train(
    name: str,
    *,
    profile: str,
    seed: int = 0,
    minutes: float | None = None,
    device: str | None = None,
) -> training.Outcome:
    """Train one model; the same call resumes a training that was stopped.

    Writes weights and card to `data/checkpoints/stories/NAME-seedN`. Neither the training nor its
    validation can read test stories.
    """
    kind = model_kind(name)
    device = device or training.default_device()
    model = new(name, seed=seed)
    settings = settings_of(profile, seed)
    memory = {
        "length": torch.tensor(_SHORTEST),
        "right": torch.tensor(0.0),
        "spent": torch.tensor(0),
    }

    def validate(trained: nn.Module) -> dict[str, float]:
        assert isinstance(trained, LoopedTransformer)
        return {"trained_length": int(memory["length"]), **validation_scores(trained, kind)}

    return RECORDS.train(
        name,
        model,
        _curriculum(kind, settings.steps, memory, _compiled(model, settings.steps)),
        settings=settings,
        profile=profile,
        device=device,
        minutes=minutes,
        memory=memory,
        validate=validate,
        select="selection",
    )


def _compiled(model: LoopedTransformer, steps: int) -> Step:
    """G behind torch.compile, which saves time where there is a compiler for C++ to use."""
    if steps < 1000 or not shutil.which(os.environ.get("CXX", "g++")):
        return model
    compiled: Step = torch.compile(model.forward)
    return compiled


def _curriculum(kind: str, steps: int, memory: dict[str, Tensor], step: Step) -> Loss:
    """The loss of one training step, which also moves the curriculum on.

    ``memory`` holds, between the steps:
    length  of the stories now
    right   the running average of the share of right last answers
    spent   steps at this length
    """
    longest = min(LONGEST, _SHORTEST + steps // 10)

    def loss(model: nn.Module, number: int, generator: torch.Generator) -> Tensor:
        assert isinstance(model, LoopedTransformer)
        n = int(memory["length"])
        objects = draw_int(2, 3, generator)
        stories = draw("train", _BATCH, n, objects=objects, generator=generator)
        extra = draw_int(*_EXTRA, generator)
        settle = draw_int(*_FREE, generator)
        is_long_visit = draw_int(0, 1, generator) == 1
        if kind:
            free, graded = 0, 1
        elif n == LONGEST and is_long_visit and memory["right"] > _ENOUGH:
            free, graded = n + settle, _GRADED
        else:
            free, graded = 0, n + extra
        mine = replace(
            stories,
            sentences=parallel.rows(stories.sentences),
            answers=parallel.rows(stories.answers),
        )
        visited = visit(model, mine, free=free, graded=graded, step=step)
        value = visited.loss
        if free:
            value = value + rest_penalty(step, visited, generator)

        right = torch.tensor(visited.right)
        parallel.average([right])
        memory["right"].lerp_(right, 0.1)
        memory["spent"].add_(1)
        is_ready = memory["right"] > _ENOUGH
        patience = steps // (2 * LONGEST) if kind else steps // _PATIENCE
        is_out_of_time = memory["spent"] > patience
        if n < longest and (is_ready or is_out_of_time):
            memory["length"].add_(1)
            memory["right"].fill_(0.5)
            memory["spent"].zero_()
        return value

    return loss
