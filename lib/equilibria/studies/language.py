"""Reasoning with a looped transformer: the named trainings, and what notebook 05 measures (paper, section 5.4).

| name | task | model |
|---|---|---|
| `parity`, `sums` | running parity, running sums modulo 5 of up to 16 symbols | one small block in a loop, z <- norm(block(z + x)), z_0 = 0 |
| `senses` | the definition of an ambiguous word, from a question (`problems.word_senses`) | Huginn's architecture, small |
| `...-once` | the same task | the same blocks, once |
| `...-stack` | the same task | an untied stack as deep as the loop's mean training depth |

`evaluation`, last, records what the finished models do: the notebook reads there what it cannot compute again in its minutes. The
profile `quick` makes a few steps only, for trying the machinery out.

Reasoning: the length grows from 2 to 16, by one whenever 97 % of the last answers are right; as many loops as symbols, and 0 to
3 more, all with gradient. Once 97 % are right at full length, half of the steps begin with 16 to 48 loops without gradient and
grade the next 8: what was found has to stay. Senses: a lognormal-Poisson number of loops of mean 8 from a random state, gradient through the last 4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from equilibria import lipschitz, training
from equilibria.operators.looped_transformer import (
    LoopedTransformer,
    Settings,
    load_huginn,
    load_tokenizer,
)
from equilibria.problems import word_senses
from equilibria.problems.reasoning import IGNORED, Questions, running_sums
from equilibria.problems.word_senses import Prompt, Vocabulary
from equilibria.solvers import trajectory
from equilibria.training.records import CaseRecords, rounded

__all__ = [
    "LENGTHS",
    "LONGEST",
    "MEAN_DEPTH",
    "TIMES",
    "accuracy_along_t",
    "answer_scores",
    "answers",
    "ask",
    "contraction",
    "evaluate",
    "exits",
    "flips_along_t",
    "lasting",
    "load",
    "loops_to",
    "names",
    "new",
    "pair_scores",
    "paths",
    "questions",
    "reports",
    "right_along_t",
    "scores_along_t",
    "seeds",
    "sense_exits",
    "senses",
    "steepness",
    "train",
]

LONGEST = 16  # symbols in training
MEAN_DEPTH = 8  # loops in training the senses, on average
LENGTHS = (4, 8, 16, 24, 32, 48, 64)  # of the questions that `evaluate` asks
TIMES = {
    "phrasing": (1, 2, 4, 8, 16, 32, 64, 128),
    "context": (1, 2, 4, 8, 16, 32),
}  # loops at which it has the held-out questions answered
_TASKS = {"parity": 2, "sums": 5}  # name: modulus
_KINDS = ("", "once", "stack")
_BATCH = {"reasoning": 64, "senses": 32}
_STEPS = {
    "quick": dict.fromkeys(("parity", "sums", "senses"), 20),
    "paper": {"parity": 3500, "sums": 4000, "senses": 1500},
}
_GRADED, _FREE, _LAST = (
    4,
    32,
    8,
)  # senses: loops with gradient; reasoning at full length: up to so many more free loops, then graded ones
_DEEPEST = 48
_VALIDATED = 64  # held-out questions that a training of senses is validated on


# ------------------------------------------------------------------------------------------------------------ training
def names(profile: str) -> list[str]:
    """What can be trained, the same in every profile; `evaluation`, last, records what the finished models do."""
    return [
        "parity",
        "parity-once",
        "parity-stack",
        "sums",
        "senses",
        "senses-once",
        "senses-stack",
        "evaluation",
    ]


def questions(task: str, count: int, length: int, *, generator: torch.Generator | int) -> Questions:
    """Questions of a reasoning task, "parity" or "sums"."""
    return running_sums(count, length, modulus=_TASKS[task], generator=generator)


@cache
def senses() -> tuple[word_senses.Split, Vocabulary]:
    """(questions about the senses, the vocabulary of those for training)."""
    split = word_senses.split(word_senses.load())
    return split, Vocabulary(
        text for prompt in split.train for text in (prompt.text, prompt.sense.definition)
    )


def new(name: str, *, seed: int = 0) -> LoopedTransformer:
    """An untrained model by name, e.g. "parity-stack"."""
    task, _, kind = name.partition("-")
    torch.manual_seed(seed)
    if task in _TASKS:
        return LoopedTransformer(
            Settings(
                vocabulary=_TASKS[task] + 1,
                width=64,
                heads=4,
                hidden=168,
                prelude=0,
                core=LONGEST if kind == "stack" else 1,
                coda=0,
                context=2048,
                injection="add",
                positions="distance",
                norms="pre",
                state_norm=True,
                tied=False,
            )
        )
    # no prelude, one looped block, no coda: with four blocks, one pass already told the senses apart (F1 0.97 at t = 1)
    core = MEAN_DEPTH if kind == "stack" else 1
    return LoopedTransformer(
        Settings(
            vocabulary=len(senses()[1]),
            width=128,
            heads=4,
            hidden=320,
            prelude=0,
            core=core,
            coda=0,
            context=128,
        )
    )


RECORDS = CaseRecords("language", "paper", lambda name, profile: new(name))
load, seeds = RECORDS.load, RECORDS.seeds


def _looped(model: LoopedTransformer, x: Tensor, z: Tensor, free: int, graded: int) -> Tensor:
    """The state after `free` loops without gradient and `graded` with."""
    with torch.no_grad():
        for _ in range(free):
            z = model.step(z, x)
    for _ in range(graded):
        z = model.step(z, x)
    return z


def reasoning_loss(
    model: LoopedTransformer, asked: Questions, *, free: int, graded: int
) -> tuple[Tensor, Tensor]:
    """(cross-entropy over all answers, share of right last answers), from z_0 = 0."""
    x = model.embed(asked.tokens)
    logits = model.decode(_looped(model, x, torch.zeros_like(x), free, graded))
    loss = functional.cross_entropy(
        logits.flatten(0, 1), asked.answers.flatten(), ignore_index=IGNORED
    )
    return loss, (logits[:, -1].argmax(-1) == asked.answers[:, -1]).float().mean().detach()


def senses_loss(
    model: LoopedTransformer,
    tokens: Tensor,
    answer: Tensor,
    start: Tensor,
    *,
    free: int,
    graded: int,
) -> Tensor:
    """Cross-entropy of the next token, where it belongs to the answer: answer (B, n) marks the answers' own tokens."""
    x = model.embed(tokens[:, :-1])
    logits = model.decode(_looped(model, x, start, free, graded), answer[:, 1:])
    return functional.cross_entropy(logits, tokens[:, 1:][answer[:, 1:]])


def lognormal_poisson(mean: float, generator: torch.Generator, *, spread: float = 0.5) -> int:
    """1 + Poisson(exp(tau)), tau normal of standard deviation `spread` with E exp(tau) = mean - 1: Huginn's training depth."""
    tau = (
        math.log(mean - 1)
        - spread**2 / 2
        + spread * torch.randn((), generator=generator, dtype=torch.float64)
    )
    return 1 + int(torch.poisson(tau.exp(), generator=generator))


def _reasoning(task: str, kind: str, steps: int, device: str):
    """(loss, memory, validate) of a reasoning task."""
    longest = min(LONGEST, 2 + steps // 10)
    memory = {"length": torch.tensor(2), "right": torch.tensor(0.0), "spent": torch.tensor(0)}

    def loss(model, step, generator):
        n = int(memory["length"])
        asked = questions(task, _BATCH["reasoning"], n, generator=generator)
        asked = Questions(asked.tokens.to(device), asked.answers.to(device), asked.vocabulary)
        more, free, stays = (
            int(torch.randint(k, (), generator=generator)) for k in (4, _FREE + 1, 2)
        )
        if kind:
            depth = {"free": 0, "graded": 1}
        elif n == LONGEST and stays and memory["right"] > 0.97:
            depth = {"free": n + free, "graded": _LAST}
        else:
            depth = {"free": 0, "graded": n + more}
        value, right = reasoning_loss(model, asked, **depth)
        memory["right"].lerp_(right.cpu(), 0.1)
        memory["spent"].add_(1)
        # the explicit models go on to the next length in any case, so that they see them all
        if n < longest and (
            memory["right"] > 0.97 or (kind and memory["spent"] > steps // (2 * LONGEST))
        ):
            memory["length"].add_(1)
            memory["right"].fill_(0.5)
            memory["spent"].zero_()
        return value

    def validate(model):
        found = {"trained_length": int(memory["length"])}
        for n in (LONGEST, 4 * LONGEST):
            found[f"right_at_{n}"] = accuracy_along_t(
                model, task, n, [1 if kind else 2 * n], count=64, seed=1
            )["last"][0]
        return found

    return loss, memory, validate


def _senses(kind: str, seed: int, device: str):
    """(loss, memory, validate) of the senses."""
    split, vocabulary = senses()
    asked, told = (
        [encode(text) for text in texts]
        for encode, texts in (
            (vocabulary.question, (p.text for p in split.train)),
            (vocabulary.answer, (p.sense.definition for p in split.train)),
        )
    )
    rows = [torch.tensor(question + answer) for question, answer in zip(asked, told)]
    text = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=Vocabulary.PAD)
    place, ends = torch.arange(text.shape[1]), torch.tensor([len(row) for row in rows])
    answer = (place >= torch.tensor([len(question) for question in asked])[:, None]) & (
        place < ends[:, None]
    )

    def loss(model, step, generator):
        batch = training.minibatch(len(text), _BATCH["senses"], seed=seed, step=step)
        longest = int(ends[batch].max())
        tokens, wanted = text[batch, :longest].to(device), answer[batch, :longest].to(device)
        depth = min(lognormal_poisson(MEAN_DEPTH, generator), _DEEPEST)
        state = torch.randn(
            len(batch), longest - 1, model.settings.width, generator=generator
        ).clamp(-3, 3) * math.sqrt(2 / 5)
        if kind:
            return senses_loss(model, tokens, wanted, 0 * state.to(device), free=0, graded=1)
        return senses_loss(
            model,
            tokens,
            wanted,
            state.to(device),
            free=max(depth - _GRADED, 0),
            graded=min(depth, _GRADED),
        )

    def validate(model):
        prompts = split.phrasing[:: len(split.phrasing) // _VALIDATED]
        scores = answer_scores(
            prompts, answers(model, prompts, 1 if kind else 2 * MEAN_DEPTH, start=0)
        )
        return {"held_out_f1": scores["f1"], "held_out_exact": scores["exact"]}

    return loss, {}, validate


def train(
    name: str,
    *,
    profile: str,
    seed: int = 0,
    minutes: float | None = None,
    device: str | None = None,
) -> training.Outcome | None:
    """Train one model; resumes where an earlier call stopped, from `data/trainings`. Writes `data/checkpoints/language/NAME-seedN`."""
    task, _, kind = name.partition("-")
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if name == "evaluation":
        return RECORDS.record(
            names(profile)[:-1], _packed, profile=profile, minutes=minutes, device=device
        )
    steps = _STEPS[profile][task]
    settings = training.Settings(
        steps=steps,
        learning_rate=1e-3,
        weight_decay=0.01,
        clip=1.0,
        warmup=20,
        ema=0.99,
        seed=seed,
        schedule="cosine" if task == "senses" else "linear",
        save_every=10 if profile == "quick" else 50,
    )
    loss, memory, validate = (
        _reasoning(task, kind, steps, device) if task in _TASKS else _senses(kind, seed, device)
    )
    return RECORDS.train(
        name,
        new(name, seed=seed),
        loss,
        settings=settings,
        profile=profile,
        device=device,
        minutes=minutes,
        memory=memory,
        validate=validate,
    )


# ------------------------------------------------------------------------------------------------- measuring: reasoning
def _states(model: LoopedTransformer, x: Tensor, steps: int) -> Iterator[Tensor]:
    """z_1, ..., z_steps from z_0 = 0."""
    return trajectory(model.step, torch.zeros_like(x), x, steps)


def _device(model: LoopedTransformer) -> torch.device:
    return next(model.parameters()).device


def _some(times: Sequence[int]) -> list[int]:
    times = list(times)
    if not times or times != sorted(set(times)) or times[0] < 1:
        raise ValueError(f"times must be rising numbers of loops from 1 on, got {times!r}")
    return times


@torch.no_grad()
def accuracy_along_t(
    model: LoopedTransformer,
    task: str,
    length: int,
    times: Sequence[int],
    *,
    count: int = 200,
    seed: int = 1,
) -> dict[str, list[float]]:
    """At each t in `times`: the share of right last answers (`last`), and of all answers (`all`), over `count` questions.
    Raises ValueError for times that do not rise from 1 on.
    """
    times, asked = _some(times), questions(task, count, length, generator=seed)
    truth = asked.answers[:, 1:].to(_device(model))
    x, found = model.embed(asked.tokens.to(_device(model))), {"last": [], "all": []}
    for t, z in enumerate(_states(model, x, times[-1]), start=1):
        if t in times:
            right = model.decode(z)[:, 1:].argmax(-1) == truth
            found["last"].append(right[:, -1].float().mean().item())
            found["all"].append(right.float().mean().item())
    return found


def lasting(times: Sequence[int], right: Sequence[float], *, share: float = 0.99) -> int | None:
    """The first of `times` from which on every entry of `right` is at least `share`; None where there is none.

    >>> lasting([1, 2, 4, 8], [0.5, 1.0, 0.9, 1.0])
    8
    """
    found = None
    for t, value in zip(reversed(times), reversed(right), strict=True):
        if value < share:
            break
        found = t
    return found


def loops_to(
    model: LoopedTransformer,
    task: str,
    length: int,
    *,
    share: float = 0.99,
    limit: int,
    count: int = 200,
    seed: int = 1,
) -> int | None:
    """The least t from which on, up to `limit`, at least `share` of the last answers are right; None where there is none."""
    return lasting(
        range(1, limit + 1),
        accuracy_along_t(model, task, length, range(1, limit + 1), count=count, seed=seed)["last"],
        share=share,
    )


@torch.no_grad()
def flips_along_t(
    model: LoopedTransformer,
    task: str,
    length: int,
    times: Sequence[int],
    *,
    count: int = 20,
    seed: int = 1,
) -> dict:
    """The paper's discrete Lipschitz constant made exact: change one input symbol (by one, cyclically), count the answers that change.

    mean, worst    over positions of the changed symbol, then averaged over questions, at each t in `times`
    target_mean, target_worst    the same of the right answers
    """
    times, asked, modulus = (
        _some(times),
        questions(task, count, length, generator=seed),
        _TASKS[task],
    )
    one = torch.eye(length + 1, dtype=torch.int64)[1:]  # position by position
    changed = torch.where(
        one.bool(), (asked.tokens[:, None] + 1) % modulus, asked.tokens[:, None]
    ).flatten(0, 1)  # (count * length, length + 1)
    tokens = torch.cat([asked.tokens, changed]).to(_device(model))

    def counted(given: Tensor) -> tuple[float, float]:
        before, after = given[:count, None], given[count:].unflatten(0, (count, length))
        flips = (before != after).sum(-1).double()  # (count, length)
        return flips.mean().item(), flips.amax(1).mean().item()

    target = counted(tokens[:, 1:].cumsum(1) % modulus)
    found = {"mean": [], "worst": [], "target_mean": target[0], "target_worst": target[1]}
    for t, z in enumerate(_states(model, model.embed(tokens), times[-1]), start=1):
        if t in times:
            mean, worst = counted(model.decode(z)[:, 1:].argmax(-1))
            found["mean"].append(mean)
            found["worst"].append(worst)
    return found


def exits(
    model: LoopedTransformer,
    task: str,
    length: int,
    tolerances: Sequence[float],
    *,
    limit: int,
    count: int = 200,
    seed: int = 1,
) -> list[dict]:
    """Early exit at each tolerance: mean loops spent a question, and the share of right last answers."""
    asked, rows = questions(task, count, length, generator=seed), []
    for tol in tolerances:
        logits, spent = model.early_exit(asked.tokens.to(_device(model)), limit, tol=tol)
        right = logits[:, -1].argmax(-1).cpu() == asked.answers[:, -1]
        rows.append(
            {
                "tol": tol,
                "loops": spent.double().mean().item(),
                "right": right.double().mean().item(),
            }
        )
    return rows


# --------------------------------------------------------------------------------------------------- measuring: senses
def _ragged(prompts: Sequence[Prompt], device) -> tuple[Tensor, Tensor]:
    rows = [torch.tensor(senses()[1].question(prompt.text)) for prompt in prompts]
    lengths = torch.tensor([len(row) for row in rows], device=device)
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=Vocabulary.PAD).to(
        device
    ), lengths


def answers(
    model: LoopedTransformer,
    prompts: Sequence[Prompt],
    steps: int,
    *,
    start: int | None = 0,
    new_tokens: int = 40,
    tol: float | None = None,
    loops: list | None = None,
) -> list[str]:
    """What the model answers after `steps` loops a token, greedily, from the random state of seed `start`; in the order of the prompts.
    `loops`, a list, gains the mean loops a token of each answer (up to and with its end).
    """
    texts = []
    for part in (prompts[i : i + 128] for i in range(0, len(prompts), 128)):
        tokens, lengths = _ragged(part, _device(model))
        made = model.generate(
            tokens, steps, new_tokens, lengths=lengths, start=start, end=Vocabulary.END, tol=tol
        )
        for ids, spent in zip(made.tokens.tolist(), made.steps.tolist()):
            texts.append(senses()[1].decode(ids))
            used = spent[: ids.index(Vocabulary.END) + 1 if Vocabulary.END in ids else len(ids)]
            if loops is not None:
                loops.append(sum(used) / len(used))
    return texts


def answer_scores(prompts: Sequence[Prompt], texts: Sequence[str]) -> dict[str, float]:
    """f1: mean word F1 with the definition; exact: share of answers with all its words, in order; distance: mean words to edit."""
    truth = [prompt.sense.definition for prompt in prompts]
    pairs = [(word_senses.words(a), word_senses.words(b)) for a, b in zip(texts, truth)]
    return {
        "f1": sum(word_senses.word_f1(a, b) for a, b in zip(texts, truth)) / len(truth),
        "exact": sum(a == b for a, b in pairs) / len(truth),
        "distance": sum(word_senses.levenshtein(a, b) for a, b in pairs) / len(truth),
    }


def pair_scores(
    pairs: Sequence[tuple[Prompt, Prompt]], texts: dict[Prompt, str]
) -> dict[str, float]:
    """The paper's Figs. 8-9 for the answers at one t, over contrast pairs:

    ratio, spread   word-level Levenshtein distance of the answers over that of the questions: mean, standard deviation
    right_ratio     the same of the right answers
    distance        mean words to edit to reach the right answer
    same            share of pairs that get one and the same answer
    """
    distance = lambda a, b: word_senses.levenshtein(word_senses.words(a), word_senses.words(b))  # noqa: E731
    asked = [distance(a.text, b.text) for a, b in pairs]
    ratios = torch.tensor(
        [distance(texts[a], texts[b]) / d for (a, b), d in zip(pairs, asked)], dtype=torch.float64
    )
    right = [
        distance(a.sense.definition, b.sense.definition) / d for (a, b), d in zip(pairs, asked)
    ]
    missed = [distance(texts[p], p.sense.definition) for pair in pairs for p in pair]
    return {
        "ratio": ratios.mean().item(),
        "spread": ratios.std().item(),
        "right_ratio": sum(right) / len(right),
        "distance": sum(missed) / len(missed),
        "same": sum(texts[a] == texts[b] for a, b in pairs) / len(pairs),
    }


def sense_exits(
    model: LoopedTransformer, prompts: Sequence[Prompt], tolerances: Sequence[float], *, limit: int
) -> list[dict]:
    """Early exit at each tolerance: mean loops spent a token, and the scores of the answers."""
    rows = []
    for tol in tolerances:
        loops: list[float] = []
        texts = answers(model, prompts, limit, tol=tol, loops=loops)
        rows.append({"tol": tol, "loops": sum(loops) / len(loops), **answer_scores(prompts, texts)})
    return rows


def prompt_tokens(prompts: Sequence[Prompt]) -> Tensor:
    """Tokens (B, n) of questions of one length, for `steepness`, `contraction` and `paths`. Raises ValueError for several lengths."""
    tokens, lengths = _ragged(prompts, "cpu")
    if len(set(lengths.tolist())) != 1:
        raise ValueError(
            f"prompts must be of one length in tokens, got {sorted(set(lengths.tolist()))}"
        )
    return tokens


# ----------------------------------------------------------------------------------------------------- measuring: both
def steepness(
    model: LoopedTransformer,
    tokens: Tensor,
    times: Sequence[int],
    *,
    max_steps: int = 30,
    tol: float = 1e-2,
) -> dict[str, list[list[float]]]:
    """True local Lipschitz constants along t, from the embedded input x: |dz_t/dx| (`latent`) and that of the last position's
    logits (`logits`); a row a t, a column a sequence of `tokens` (B, n). From z_0 = 0. Lower bounds where the norm does not settle.
    """
    x, found = model.embed(tokens).detach(), {"latent": [], "logits": []}
    last = torch.zeros(tokens.shape, dtype=torch.bool, device=tokens.device)
    last[:, -1] = True
    for t in _some(times):

        def latent(x):
            *_, z = _states(model, x, t)  # noqa: B023
            return z

        for name, f in (("latent", latent), ("logits", lambda x: model.decode(latent(x), last))):
            found[name].append(
                lipschitz.local(f, x, max_steps=max_steps, tol=tol, throw=False).tolist()
            )
    return found


def contraction(
    model: LoopedTransformer, tokens: Tensor, *, settle: int = 200, max_steps: int = 50
) -> dict[str, list[float]]:
    """Is the loop regular where it ends? Per sequence, at z = z_settle:

    modulus   |dG/dz|, the spectral norm (a lower bound where it does not settle in max_steps): below 1 for a regular operator
    rate      the factor by which the last movement |z_t - z_{t-1}| shrank a loop, over the last 10 that were above rounding
    residual  |G(z, x) - z| / |z|
    """
    with torch.no_grad():
        x = model.embed(tokens)
        moves, before = [], torch.zeros_like(x)
        for z in _states(model, x, settle):
            moves.append((z - before).flatten(1).norm(dim=1) / z.flatten(1).norm(dim=1))
            before = z
        residual = (model.step(z, x) - z).flatten(1).norm(dim=1) / z.flatten(1).norm(dim=1)
    rates = []
    for path in torch.stack(moves, 1).double().tolist():
        heard = next(
            (t for t, move in enumerate(path) if move < 100 * torch.finfo(x.dtype).eps), len(path)
        )
        first = max(heard - 11, 0)
        rates.append((path[heard - 1] / path[first]) ** (1 / max(heard - 1 - first, 1)))
    modulus = lipschitz.local(
        lambda z: model.step(z, x), z, max_steps=max_steps, tol=1e-2, throw=False
    )
    return {"modulus": modulus.tolist(), "rate": rates, "residual": residual.tolist()}


@torch.no_grad()
def paths(
    model: LoopedTransformer, tokens: Tensor, steps: int, *, start: int | None = None
) -> tuple[Tensor, Tensor]:
    """(points (B, steps, 2), share (2,)): the last position's states z_1, ..., z_steps of all sequences on their two common principal
    axes, and the share of the variance that each axis explains.
    """
    _, states = model(tokens, steps, start=start, latents=True)
    flat = states[:, :, -1].transpose(0, 1).double()  # (B, steps, width)
    centred = flat - flat.mean((0, 1))
    _, s, axes = torch.linalg.svd(centred.flatten(0, 1), full_matrices=False)
    return centred @ axes[:2].T, s[:2] ** 2 / (s**2).sum()


def ask(
    question: str,
    steps: int,
    *,
    model: str = "senses",
    seed: int = 0,
    new_tokens: int = 40,
    start: int | None = 0,
    revision: str | None = None,
) -> str:
    """The answer of the shipped small model ("senses", with its seed), or of a checkpoint in Huginn's format: a folder, or a repository
    such as "tomg-group-umd/huginn-0125" (3.5 billion parameters: 7 GB to fetch, as much memory, in bfloat16).

    Raises ValueError for a prompt the model cannot read, CheckpointError, in one line, when the weights cannot be had.
    """
    if model == "senses":
        small, vocabulary = load("senses", seed=seed)[0], senses()[1]
        made = small.generate(
            torch.tensor([vocabulary.question(question)]),
            steps,
            new_tokens,
            start=start,
            end=Vocabulary.END,
        )
        return vocabulary.decode(made.tokens[0].tolist())
    large, tokenizer = (
        load_huginn(model, revision=revision),
        load_tokenizer(model, revision=revision),
    )
    begin, end = ((tokenizer.token_to_id(word)) for word in ("<|begin_text|>", "<|end_text|>"))
    ids = tokenizer.encode(question, add_special_tokens=False).ids
    if not ids:
        raise ValueError(
            f"question must hold at least one token, got {question!r}: the prompt is empty"
        )
    tokens = torch.tensor([([] if begin is None else [begin]) + ids])
    made = large.generate(tokens, steps, new_tokens, start=start, end=end)
    return tokenizer.decode(made.tokens[0].tolist())


# ------------------------------------------------------------------------------------------------------------- records
def evaluate(
    name: str, *, seed: int, profile: str = "paper", count: int | None = None, device: str = "cpu"
) -> dict:
    """What a finished model does with `count` questions of each kind (None: 200 of every length, every held-out question).

    Reasoning, `along_t`: for each of LENGTHS n the share of right answers at every t up to 2 n, and at 4 n and 8 n, and the loops
    to 99 %. Senses, `answers`: for each held-out part and t in TIMES the answers themselves, in the part's order. An explicit
    model is asked at t = 1 alone.
    """
    task, _, kind = name.partition("-")
    model, card = load(name, seed=seed, profile=profile)
    model.to(device)
    found = {
        "name": name,
        "seed": seed,
        "profile": profile,
        "sha256": card["sha256"],
        "parameters": card["parameters"],
        "train_seconds": card["seconds"],
        "metrics": card["metrics"],
    }
    if task in _TASKS:
        rows, count = [], count or 200
        for n in LENGTHS:
            times = [1] if kind else [*range(1, 2 * n + 1), 4 * n, 8 * n]
            right = accuracy_along_t(model, task, n, times, count=count)
            right = {key: rounded(values) for key, values in right.items()}
            rows.append({"length": n, "t": times, **right, "loops": lasting(times, right["last"])})
        return found | {"questions": count, "along_t": rows}
    rows = []
    for part, times in TIMES.items():
        prompts = getattr(senses()[0], part)[:count]
        rows += [
            {"part": part, "t": t, "texts": answers(model, prompts, t)}
            for t in (times[:1] if kind else times)
        ]
    return found | {"answers": rows}


def _packed(name: str, **where) -> dict:
    """`evaluate` as a file holds it: each text once."""
    found = evaluate(name, **where)
    if "answers" in found:
        found["texts"] = sorted({text for row in found["answers"] for text in row["texts"]})
        place = {text: i for i, text in enumerate(found["texts"])}
        for row in found["answers"]:
            row["texts"] = [place[text] for text in row["texts"]]
    return found


def reports(name: str, *, profile: str = "paper") -> list[dict]:
    """The recorded `evaluate` of every seed of a model, whether its weights are at hand or not."""
    rows = RECORDS.reports(name, profile=profile)
    for row in rows:
        for answered in row.get("answers", []):
            answered["texts"] = [row["texts"][i] for i in answered["texts"]]
        row.pop("texts", None)
    return rows


def right_along_t(rows: Sequence[dict]) -> dict:
    """`reports` of a reasoning task, seed beside seed: for each length n the times `t`[n], `right`[n] (a row a t, a column a seed) and
    `loops`[n] to 99 % of each seed, None where it never gets there.
    """
    found = {
        "seeds": [row["seed"] for row in rows],
        "trained_length": [row["metrics"]["trained_length"] for row in rows],
        "t": {},
        "right": {},
        "loops": {},
    }
    for curves in zip(*(row["along_t"] for row in rows)):
        n = curves[0]["length"]
        found["t"][n] = curves[0]["t"]
        found["right"][n] = [list(values) for values in zip(*(curve["last"] for curve in curves))]
        found["loops"][n] = [curve["loops"] for curve in curves]
    return found | {"lengths": list(found["t"])}


def scores_along_t(rows: Sequence[dict]) -> tuple[dict, dict]:
    """`reports` of the senses, seed beside seed: (answers, pairs), both a row a t and a column a seed.

    answers    `t`[part] and, for f1, exact and distance of `answer_scores`, the values[part]
    pairs      `t`, each of `pair_scores` over the contrast pairs in new phrasings, and `right_ratio`
    """
    questions = senses()[0]
    found: dict = {name: {part: [] for part in TIMES} for name in ("t", "f1", "exact", "distance")}
    by_pair: dict = {name: [] for name in ("t", "ratio", "spread", "distance", "same")}
    for answered in zip(*(row["answers"] for row in rows)):
        part, t = answered[0]["part"], answered[0]["t"]
        prompts = getattr(questions, part)[: len(answered[0]["texts"])]
        scores = [answer_scores(prompts, seed["texts"]) for seed in answered]
        found["t"][part].append(t)
        for name in ("f1", "exact", "distance"):
            found[name][part].append([score[name] for score in scores])
        if part == "phrasing":
            pairs = word_senses.contrast_pairs(prompts)
            scores = [pair_scores(pairs, dict(zip(prompts, seed["texts"]))) for seed in answered]
            by_pair["t"].append(t)
            by_pair["right_ratio"] = scores[0]["right_ratio"]
            for name in ("ratio", "spread", "distance", "same"):
                by_pair[name].append([score[name] for score in scores])
    return found, by_pair
