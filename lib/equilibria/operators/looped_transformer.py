"""A looped transformer: Huginn-0125's architecture at any size (paper, section 5.4; Geiping et al. 2025).

    x = Q_in(tokens)                        embedding times sqrt(width), then the prelude blocks
    z_t = G(z_{t-1}, x), t = 1, ..., steps  adapter [state, input], then the core blocks: one weight-tied loop
    logits = Q_out(z_t)                     final norm, coda blocks, the same final norm again, head

A sandwich block is h <- n2(attention(n1 h) + h); h <- n4(mlp(n3 h) + h), with RMS norms, a SiLU-gated MLP, learned biases on
queries and keys (none elsewhere) and rotary positions on interleaved pairs.

| symbol | here | shape |
|---|---|---|
| y = z | latent state | (B, n, width) |
| x | embedded input, `model.embed(tokens)` | (B, n, width) |
| G(y, x) | `model.step`, usable by `solve`, `trajectory` and `lipschitz.local` | (B, n, width) |

`Settings` also describes the small loop of the reasoning tasks: additive injection, a learned linear distance decay of
attention per head instead of rotary positions, plain pre-norm blocks and a norm after each loop. A block that is applied
once is the same model at steps = 1; an untied stack is a model with as many core blocks, at steps = 1.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from equilibria.checkpoints import CheckpointError

__all__ = [
    "HUGINN",
    "HUGINN_REVISION",
    "Generation",
    "LoopedTransformer",
    "Settings",
    "load_huginn",
    "load_tokenizer",
]

HUGINN = "tomg-group-umd/huginn-0125"
HUGINN_REVISION = "bb6621b65e90b6a4b9b29ef88dc83866d450470c"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Sizes and details; the defaults beside the sizes are Huginn's.

    vocabulary, width, heads, hidden (the MLP's) >= 1, width divisible into heads of even size; prelude, coda >= 0 and
    core >= 1 blocks; context: the longest sequence.
    injection   "adapter": linear on [state, input]; "add": state + input
    positions   "rotary" (base rope_base) or "distance" (attention minus slope_h |i - j|, slopes learned per head)
    norms       "sandwich" or "pre" (n1 and n3 only)
    state_norm  an RMS norm after each loop
    tied        the head is the embedding
    Raises ValueError for a value that cannot be.
    """

    vocabulary: int
    width: int
    heads: int
    hidden: int
    prelude: int = 2
    core: int = 4
    coda: int = 2
    context: int = 4096
    injection: str = "adapter"
    positions: str = "rotary"
    norms: str = "sandwich"
    state_norm: bool = False
    tied: bool = True
    rope_base: float = 50_000.0
    epsilon: float = 1e-6

    def __post_init__(self):
        least = dict.fromkeys(("vocabulary", "width", "heads", "hidden", "core", "context"), 1) | {
            "prelude": 0,
            "coda": 0,
        }
        for name, bound in least.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < bound:
                raise ValueError(f"{name} must be an int of at least {bound}, got {value!r}")
        for name, choices in (
            ("injection", ("adapter", "add")),
            ("positions", ("rotary", "distance")),
            ("norms", ("sandwich", "pre")),
            ("state_norm", (False, True)),
            ("tied", (False, True)),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {choices}, got {getattr(self, name)!r}")
        if self.width % (2 * self.heads):
            raise ValueError(
                f"heads must divide width = {self.width} into even parts, got {self.heads}"
            )
        for name in ("rope_base", "epsilon"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)!r}")


@dataclass(frozen=True)
class Generation:
    """tokens (B, m): what was generated, `end` after an end; steps (B, m): loops spent on each."""

    tokens: Tensor
    steps: Tensor


# -------------------------------------------------------------------------------------------------------------- blocks
@dataclass(frozen=True)
class _Place:
    """Where the tokens of one call stand; made once, used by every block. B may be 1 for all sequences alike.

    positions (B, n), rotation: cos and sin (B, n, 1, 1, head / 2) or None, future (B, 1, n, m): keys a query cannot see,
    distance (B, 1, n, m) or None.
    """

    positions: Tensor
    rotation: tuple[Tensor, Tensor] | None
    future: Tensor
    distance: Tensor | None

    @classmethod
    def of(cls, settings: Settings, positions: Tensor, reach: int, dtype: torch.dtype) -> _Place:
        """Tokens at `positions` (B, n) that see keys at positions 0, ..., reach - 1."""
        wide, device = torch.promote_types(dtype, torch.float32), positions.device
        distance = positions[:, None, :, None] - torch.arange(reach, device=device)
        rotation = None
        if settings.positions == "rotary":
            pair = torch.arange(
                0, settings.width // settings.heads, 2, device=device, dtype=wide
            ) / (settings.width // settings.heads)
            angle = positions[..., None, None, None] / settings.rope_base**pair
            rotation = angle.cos(), angle.sin()
        return cls(
            positions,
            rotation,
            distance < 0,
            distance.to(dtype) if settings.positions == "distance" else None,
        )

    def rows(self, rows: Tensor | None) -> _Place:
        if rows is None or len(self.positions) == 1:
            return self
        rotation = None if self.rotation is None else tuple(r[rows] for r in self.rotation)
        return _Place(
            self.positions[rows],
            rotation,
            self.future[rows],
            None if self.distance is None else self.distance[rows],
        )


class _Cache:
    """Keys and values of every token for each application of a block: prelude, core at each loop step, coda."""

    def __init__(self, settings: Settings, steps: int, batch: int, capacity: int, like: Tensor):
        slots = settings.prelude + steps * settings.core + settings.coda
        self.settings, self.steps, self.reach = settings, steps, 0
        # zeros: what is not written yet has weight 0 in attention, and 0 * NaN would be NaN
        self.store = like.new_zeros(
            slots, 2, batch, settings.heads, capacity, settings.width // settings.heads
        )

    def slot(
        self, index: int, place: _Place, rows: Tensor | None
    ) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """What attention calls with its new keys and values (B, heads, n, head) to get all of them."""

        def extend(k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
            kept = self.store[index]  # (2, batch, heads, capacity, head)
            which = torch.arange(kept.shape[1], device=k.device) if rows is None else rows
            kept.permute(1, 3, 0, 2, 4)[which[:, None], place.positions] = torch.stack(
                [k, v]
            ).permute(1, 3, 0, 2, 4)
            seen = kept[:, :, :, : self.reach]
            return (seen if rows is None else seen[:, rows]).unbind(0)

        return extend

    def hold(self, step: int, rows: Tensor, place: _Place) -> None:
        """Sequences that ended their loop after `step` (from 0): later steps see the keys and values of that one."""
        loops = self.store[self.settings.prelude : len(self.store) - self.settings.coda].unflatten(
            0, (self.steps, self.settings.core)
        )
        loops = loops.permute(0, 3, 5, 1, 2, 4, 6)  # (steps, batch, capacity, core, 2, heads, head)
        positions = place.positions[rows]
        loops[step + 1 :, rows[:, None], positions] = loops[step, rows[:, None], positions]


class _Norm(nn.Module):
    """h / sqrt(mean(h^2) + epsilon) * weight, over the last dimension, in float32 at least."""

    def __init__(self, width: int, epsilon: float):
        super().__init__()
        self.weight, self.epsilon = nn.Parameter(torch.ones(width)), epsilon

    def forward(self, h: Tensor) -> Tensor:
        return functional.rms_norm(h, h.shape[-1:], self.weight, self.epsilon)


class _Attention(nn.Module):
    def __init__(self, settings: Settings):
        super().__init__()
        width, self.heads = settings.width, settings.heads
        self.Wqkv, self.proj = (
            nn.Linear(width, 3 * width, bias=False),
            nn.Linear(width, width, bias=False),
        )
        self.qk_bias = nn.Parameter(torch.zeros(2, 1, self.heads, width // self.heads))
        if (
            settings.positions == "distance"
        ):  # from a look at the neighbours to nearly the whole sequence
            self.log_slope = nn.Parameter(torch.linspace(math.log(2), math.log(1 / 32), self.heads))

    def forward(self, h: Tensor, place: _Place, extend: Callable | None) -> Tensor:
        batch, n, width = h.shape
        bias = torch.cat(
            [self.qk_bias.flatten(), self.qk_bias.new_zeros(width)]
        )  # before the rotation
        qkv = functional.linear(h, self.Wqkv.weight, bias).view(batch, n, 3, self.heads, -1)
        if place.rotation is not None:
            cos, sin = place.rotation
            even, odd = qkv[:, :, :2].unflatten(-1, (-1, 2)).to(cos).unbind(-1)
            turned = torch.stack([even * cos - odd * sin, odd * cos + even * sin], -1).flatten(-2)
            q, k, v = *turned.to(h).unbind(2), qkv[:, :, 2]
        else:
            q, k, v = qkv.unbind(2)
        q, k, v = (a.transpose(1, 2) for a in (q, k, v))  # (B, heads, n, head)
        if extend is not None:
            k, v = extend(k, v)
        scores = (q * q.shape[-1] ** -0.5) @ k.mT
        if place.distance is not None:
            scores = scores - self.log_slope.exp()[:, None, None] * place.distance
        weights = scores.masked_fill(place.future, -torch.inf).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(batch, n, width))


class _GatedMLP(nn.Module):
    def __init__(self, settings: Settings):
        super().__init__()
        self.fc, self.proj = (
            nn.Linear(settings.width, 2 * settings.hidden, bias=False),
            nn.Linear(settings.hidden, settings.width, bias=False),
        )

    def forward(self, h: Tensor) -> Tensor:
        gate, value = self.fc(h).chunk(2, -1)
        return self.proj(functional.silu(gate) * value)


class _Block(nn.Module):
    def __init__(self, settings: Settings):
        super().__init__()
        self.norm_1, self.norm_3 = (_Norm(settings.width, settings.epsilon) for _ in range(2))
        self.sandwich = settings.norms == "sandwich"
        if self.sandwich:
            self.norm_2, self.norm_4 = (_Norm(settings.width, settings.epsilon) for _ in range(2))
        self.attn, self.mlp = _Attention(settings), _GatedMLP(settings)

    def forward(self, h: Tensor, place: _Place, extend: Callable | None = None) -> Tensor:
        h = self.attn(self.norm_1(h), place, extend) + h
        h = self.norm_2(h) if self.sandwich else h
        h = self.mlp(self.norm_3(h)) + h
        return self.norm_4(h) if self.sandwich else h


# --------------------------------------------------------------------------------------------------------------- model
class LoopedTransformer(nn.Module):
    """The model of the module's header. Parameters have Huginn's own names.

    >>> settings = Settings(vocabulary=5, width=8, heads=2, hidden=16, prelude=1, core=1, coda=1, context=16)
    >>> model = LoopedTransformer(settings)
    >>> tokens = torch.tensor([[0, 3, 1]])
    >>> model(tokens, steps=4).shape, model.generate(tokens, steps=4, max_new_tokens=2).tokens.shape
    (torch.Size([1, 3, 5]), torch.Size([1, 2]))
    """

    def __init__(self, settings: Settings):
        super().__init__()
        self.settings = settings
        blocks = lambda count: nn.ModuleList(_Block(settings) for _ in range(count))  # noqa: E731
        parts = {
            "wte": nn.Embedding(settings.vocabulary, settings.width),
            "prelude": blocks(settings.prelude),
        }
        if settings.injection == "adapter":
            parts["adapter"] = nn.Linear(2 * settings.width, settings.width, bias=False)
        parts |= {
            "core_block": blocks(settings.core),
            "coda": blocks(settings.coda),
            "ln_f": _Norm(settings.width, settings.epsilon),
        }
        if settings.state_norm:
            parts["state_norm"] = _Norm(settings.width, settings.epsilon)
        self.transformer = nn.ModuleDict(parts)
        if not settings.tied:
            self.lm_head = nn.Linear(settings.width, settings.vocabulary, bias=False)
        std = math.sqrt(2 / (5 * settings.width))
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                branch = std / math.sqrt(2 * (settings.prelude + settings.core + settings.coda))
                nn.init.normal_(parameter, std=branch if name.endswith("proj.weight") else std)

    # ---- the parts: Q_in, G, Q_out
    def embed(self, tokens: Tensor) -> Tensor:
        """X = Q_in(tokens), (B, n) integers -> (B, n, width). Raises ValueError for tokens the model cannot read."""
        self._check(tokens)
        return self._embed(tokens, self._place(tokens.shape[1], tokens.device))

    def step(self, y: Tensor, x: Tensor) -> Tensor:
        """G(y, x): one loop. y, x (B, n, width)."""
        return self._step(y, x, self._place(x.shape[1], x.device))

    def decode(self, y: Tensor, where: Tensor | None = None) -> Tensor:
        """Q_out: logits (B, n, vocabulary) of a latent state (B, n, width); with a mask `where` (B, n) only there, (count, vocabulary)."""
        h = self._finish(y, self._place(y.shape[1], y.device))
        return self._head(h if where is None else h[where])

    def start_state(self, batch: int, length: int, *, seed: int) -> Tensor:
        """Huginn's random start, (batch, length, width): a normal of standard deviation sqrt(2 / (5 width)) sqrt(width), truncated
        at three of them. A position's draw depends on the seed and the position alone: not on the length or on neighbours.
        """
        weight = self.transformer.wte.weight
        u = torch.rand(
            length,
            self.settings.width,
            dtype=torch.float64,
            generator=torch.Generator().manual_seed(seed),
        )
        inside = math.erf(3 / math.sqrt(2))
        state = math.sqrt(2 / 5) * math.sqrt(2) * torch.erfinv(inside * (2 * u - 1))
        return state.to(weight).expand(batch, -1, -1)

    def forward(
        self,
        tokens: Tensor,
        steps: int,
        *,
        start: Tensor | int | None = None,
        latents: bool = False,
    ):
        """Logits (B, n, vocabulary) of z_steps; with latents=True also the states z_1, ..., z_steps, (steps, B, n, width).

        tokens (B, n) integers below the vocabulary; start: z_0 as a tensor (B, n, width), a seed, or None for zeros.
        `decode(states[t - 1])` are the logits of fewer loops. Raises ValueError for an empty or too long sequence, an unknown
        token, steps < 1 or a start of another shape.
        """
        self._check(tokens, steps)
        place = self._place(tokens.shape[1], tokens.device)
        x = self._embed(tokens, place)
        z = self._start(start, *tokens.shape).to(x)
        states = []
        for _ in range(steps):
            z = self._step(z, x, place)
            if latents:
                states.append(z)
        logits = self._head(self._finish(z, place))
        return (logits, torch.stack(states)) if latents else logits

    @torch.no_grad()
    def early_exit(
        self, tokens: Tensor, steps: int, *, tol: float, start: Tensor | int | None = None
    ) -> tuple[Tensor, Tensor]:
        """(logits (B, n, vocabulary), loops spent (B,)): each sequence stops at |z_t - z_{t-1}| <= tol |z_t|, or after `steps`.
        Its answer does not depend on its neighbours. Arguments and errors as in `forward`, and ValueError for tol <= 0.
        """
        self._check(tokens, steps, tol)
        place = self._place(tokens.shape[1], tokens.device)
        x = self._embed(tokens, place)
        z, spent = self._loop(
            self._start(start, *tokens.shape).to(x), x, steps, place, None, tol, None
        )
        return self._head(self._finish(z, place)), spent

    @torch.no_grad()
    def generate(
        self,
        tokens: Tensor,
        steps: int,
        max_new_tokens: int,
        *,
        lengths: Tensor | None = None,
        start: Tensor | int | None = None,
        end: int | None = None,
        cache: bool = True,
        tol: float | None = None,
    ) -> Generation:
        """The most likely next token, max_new_tokens times, each after `steps` loops.

        tokens   (B, n) prompts, of `lengths` (B,) tokens each (None: all n), filled up on the right with anything
        start    z_0 of every position: a seed, a tensor (B, n + max_new_tokens, width), or None for zeros
        end      a token that ends a sequence; generation stops when all have ended
        cache    keep keys and values per loop step: the same tokens, each in the time of one; otherwise all is computed again
        tol      None, or early exit: each sequence's loop stops at |z_t - z_{t-1}| <= tol |z_t| over the tokens being computed;
                 to later tokens, its state stays what it was
        Raises ValueError as `forward`, and when the prompt and the new tokens do not fit the context.
        """
        self._check(tokens, steps, tol)
        batch, n = tokens.shape
        if not isinstance(max_new_tokens, int) or max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be an int of at least 1, got {max_new_tokens!r}")
        capacity = n + max_new_tokens
        if capacity > self.settings.context:
            raise ValueError(
                f"tokens: a prompt of {n} tokens and max_new_tokens = {max_new_tokens} exceed the context of {self.settings.context}"
            )
        device = tokens.device
        lengths = torch.full((batch,), n, device=device) if lengths is None else lengths.to(device)
        if lengths.shape != (batch,) or not bool(((lengths >= 1) & (lengths <= n)).all()):
            raise ValueError(
                f"lengths must be {batch} numbers from 1 to {n}, got {lengths.tolist()}"
            )
        states = self._start(start, batch, capacity).to(self.transformer.wte.weight)
        memory = (
            _Cache(self.settings, steps, batch, capacity, self.transformer.wte.weight)
            if cache
            else None
        )
        text = torch.cat([tokens, tokens.new_zeros(batch, max_new_tokens)], 1)
        rows, ended = (
            torch.arange(batch, device=device),
            torch.zeros(batch, dtype=torch.bool, device=device),
        )
        made, loops = [], []
        for i in range(max_new_tokens):
            fresh = (lengths + i - 1)[:, None]  # the position whose logits name the next token
            everything = i == 0 or not cache
            positions = (
                torch.arange(n + i, device=device).expand(batch, -1) if everything else fresh
            )
            place = _Place.of(self.settings, positions, n + i, states.dtype)
            if cache:
                memory.reach = n + i
            x = self._embed(text.gather(1, positions), place, memory)
            z = states[rows[:, None], positions]
            z, spent = self._loop(z, x, steps, place, memory, tol, positions <= fresh)
            h = self._finish(z, place, memory)
            word = self._head(h[rows, fresh[:, 0] if everything else 0]).argmax(-1)
            if end is not None:
                word = torch.where(ended, end, word)
                ended = ended | (word == end)
            text[rows, lengths + i] = word
            made.append(word)
            loops.append(spent)
            if end is not None and bool(ended.all()):
                break
        short = max_new_tokens - len(made)
        made += [torch.full_like(word, end)] * short if short else []
        loops += [torch.zeros_like(spent)] * short
        return Generation(torch.stack(made, 1), torch.stack(loops, 1))

    # ---- one call
    def _place(self, length: int, device) -> _Place:
        return _Place.of(
            self.settings,
            torch.arange(length, device=device)[None],
            length,
            self.transformer.wte.weight.dtype,
        )

    def _start(self, start: Tensor | int | None, batch: int, length: int) -> Tensor:
        shape = (batch, length, self.settings.width)
        if start is None:
            return self.transformer.wte.weight.new_zeros(shape)
        if isinstance(start, Tensor):
            if start.shape != shape:
                raise ValueError(f"start must have shape {shape}, got {tuple(start.shape)}")
            return start
        if not isinstance(start, int) or isinstance(start, bool) or start < 0:
            raise ValueError(f"start must be a tensor, a seed of at least 0 or None, got {start!r}")
        return self.start_state(batch, length, seed=start)

    def _check(self, tokens: Tensor, steps: int = 1, tol: float | None = None) -> None:
        if (
            not isinstance(tokens, Tensor)
            or tokens.dim() != 2
            or tokens.is_floating_point()
            or tokens.dtype == torch.bool
        ):
            raise ValueError(
                f"tokens must be an integer tensor (B, n), got {getattr(tokens, 'shape', type(tokens).__name__)}"
            )
        if tokens.numel() == 0:
            raise ValueError(
                f"tokens must hold at least one token a sequence, got shape {tuple(tokens.shape)}: the prompt is empty"
            )
        if tokens.shape[1] > self.settings.context:
            raise ValueError(
                f"tokens: a prompt of {tokens.shape[1]} tokens exceeds the context of {self.settings.context}"
            )
        low, high = (int(v) for v in tokens.aminmax())
        if low < 0 or high >= self.settings.vocabulary:
            raise ValueError(
                f"tokens must lie in 0..{self.settings.vocabulary - 1}, got the unknown token {low if low < 0 else high}"
            )
        if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
            raise ValueError(f"steps must be an int of at least 1, got {steps!r}")
        if tol is not None and not tol > 0:
            raise ValueError(f"tol must be positive, got {tol!r}")

    def _embed(self, tokens: Tensor, place: _Place, cache: _Cache | None = None) -> Tensor:
        h = self.transformer.wte(tokens) * math.sqrt(self.settings.width)
        return self._blocks("prelude", h, place, cache, 0)

    def _step(
        self,
        z: Tensor,
        x: Tensor,
        place: _Place,
        cache: _Cache | None = None,
        slot: int = 0,
        rows: Tensor | None = None,
    ) -> Tensor:
        h = (
            self.transformer.adapter(torch.cat([z, x], -1))
            if self.settings.injection == "adapter"
            else z + x
        )
        h = self._blocks("core_block", h, place, cache, slot, rows)
        return self.transformer.state_norm(h) if self.settings.state_norm else h

    def _finish(self, z: Tensor, place: _Place, cache: _Cache | None = None) -> Tensor:
        slot = 0 if cache is None else len(cache.store) - self.settings.coda
        return self.transformer.ln_f(
            self._blocks("coda", self.transformer.ln_f(z), place, cache, slot)
        )

    def _blocks(
        self,
        part: str,
        h: Tensor,
        place: _Place,
        cache: _Cache | None,
        slot: int,
        rows: Tensor | None = None,
    ) -> Tensor:
        for i, block in enumerate(self.transformer[part]):
            h = block(h, place, None if cache is None else cache.slot(slot + i, place, rows))
        return h

    def _head(self, h: Tensor) -> Tensor:
        return functional.linear(
            h, self.transformer.wte.weight if self.settings.tied else self.lm_head.weight
        )

    def _loop(
        self,
        z: Tensor,
        x: Tensor,
        steps: int,
        place: _Place,
        cache: _Cache | None,
        tol: float | None,
        counted: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """(state, loops spent (B,)). counted (B, n): the positions whose movement decides on an early exit; None for all."""
        spent = torch.full((len(x),), steps, device=x.device)
        slot = lambda t: self.settings.prelude + t * self.settings.core  # noqa: E731
        if tol is None:
            for t in range(steps):
                z = self._step(z, x, place, cache, slot(t))
            return z, spent
        going = torch.arange(len(x), device=x.device)
        for t in range(steps):
            rows = None if len(going) == len(x) else going
            after = self._step(z[going], x[going], place.rows(rows), cache, slot(t), rows)
            weight = 1 if counted is None else counted[going, :, None]
            moved = torch.linalg.vector_norm((after - z[going]) * weight, dim=(1, 2))
            done = moved <= tol * torch.linalg.vector_norm(after * weight, dim=(1, 2))
            z = z.index_copy(0, going, after)
            spent[going[done]] = t + 1
            if cache is not None:
                cache.hold(t, going[done], place)
            going = going[~done]
            if len(going) == 0:
                break
        return z, spent


# ------------------------------------------------------------------------------------------------------------- loading
def load_huginn(
    path_or_repo: str | Path,
    *,
    revision: str | None = None,
    dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
) -> LoopedTransformer:
    """The model of a checkpoint in Huginn-0125's format: a folder with config.json and safetensors (one file, or shards with
    their index), or a repository on the Hugging Face Hub, then at `revision` (default for Huginn: the pinned one).

    dtype: None for the file's own. Tensors go to `device` one by one: nothing is held twice. No code runs from the Hub and no
    pickle is read. Raises CheckpointError, in one line, when a file is missing or damaged, when a tensor's name or shape does not
    fit, or when the configuration asks for what is not built here; ValueError for a repository without a revision.
    """
    from safetensors import SafetensorError, safe_open

    folder = _folder(path_or_repo, revision, ("*.json", "*.safetensors"))
    settings = _huginn_settings(folder)
    with torch.device("meta"):
        model = LoopedTransformer(settings)
    wanted = {name: tuple(p.shape) for name, p in model.named_parameters()}
    tensors: dict[str, Tensor] = {}
    copy_of_head = None
    for file in _shards(folder):
        try:
            with safe_open(file, "pt", device=str(device)) as opened:
                for name in opened.keys():
                    if name.endswith("freqs_cis"):  # the rotary table, a buffer: computed here
                        continue
                    if name == "lm_head.weight" and settings.tied:
                        copy_of_head = opened.get_tensor(name).to(dtype)
                        continue
                    shape = tuple(opened.get_slice(name).get_shape())
                    if wanted.get(name) != shape:
                        expected = (
                            f"shape {wanted[name]}" if name in wanted else "no tensor of this name"
                        )
                        raise CheckpointError(
                            f"{file} does not fit its config.json: {name} has shape {shape}, expected {expected}"
                        )
                    tensors[name] = opened.get_tensor(name).to(dtype)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{file} is damaged or not a safetensors file ({error})"
            ) from error
    if copy_of_head is not None:  # a tied head may be stored as well, or instead
        embedding = tensors.setdefault("transformer.wte.weight", copy_of_head)
        if embedding.shape != copy_of_head.shape or not torch.equal(embedding, copy_of_head):
            raise CheckpointError(
                f"{folder}: lm_head.weight is not transformer.wte.weight although config.json ties them"
            )
    missing = sorted(set(wanted) - set(tensors))
    if missing:
        raise CheckpointError(f"{folder} lacks {len(missing)} tensors, the first is {missing[0]}")
    model.load_state_dict(tensors, assign=True)
    return model.eval()


def load_tokenizer(path_or_repo: str | Path, *, revision: str | None = None):
    """The `tokenizers.Tokenizer` of a checkpoint's tokenizer.json; arguments and errors as in `load_huginn`."""
    from tokenizers import Tokenizer

    path = _folder(path_or_repo, revision, ("tokenizer.json",)) / "tokenizer.json"
    if not path.is_file():
        raise CheckpointError(f"there is no tokenizer {path}")
    return Tokenizer.from_file(str(path))


def _folder(path_or_repo: str | Path, revision: str | None, patterns: tuple[str, ...]) -> Path:
    """A local folder as it is, or the snapshot of a Hub repository."""
    if Path(path_or_repo).is_dir():
        return Path(path_or_repo)
    repo = str(path_or_repo)
    if isinstance(path_or_repo, Path) or repo.count("/") != 1 or repo.startswith(("/", ".", "~")):
        raise CheckpointError(
            f"there is no folder {repo}, and it is no repository's name (owner/name)"
        )
    revision = revision or (HUGINN_REVISION if repo == HUGINN else None)
    if revision is None:
        raise ValueError(
            f"revision must be given for {repo!r}: a commit of the repository, so that the weights stay the same"
        )
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise CheckpointError(
            f"{repo} needs huggingface_hub: pip install 'equilibria[language]', or give a local folder"
        ) from error
    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=list(patterns)))
    except Exception as error:  # no network, no such repository or revision, no space: the hub has an exception for each
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f"{repo} at {revision} cannot be had from the Hub: {reason}"
        ) from error


def _huginn_settings(folder: Path) -> Settings:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        for name, ours in (
            ("injection_type", "linear"),
            ("qk_bias", True),
            ("block_class_name", "SandwichBlock"),
            ("mlp_class_name", "GatedMLP"),
            ("nonlin_name", "SiLU"),
            ("bias", False),
        ):
            if config.get(name, ours) != ours:
                raise CheckpointError(
                    f"{path}: {name} = {config[name]!r} is not built here, only {ours!r}"
                )
        multiple = config.get("padding_multiple", 1)
        return Settings(
            vocabulary=config.get(
                "padded_vocab_size", -(-config["vocab_size"] // multiple) * multiple
            ),
            width=config["n_embd"],
            heads=config["n_heads"],
            hidden=config["intermediate_size"],
            prelude=config["n_layers_in_prelude"],
            core=config["n_layers_in_recurrent_block"],
            coda=config["n_layers_in_coda"],
            context=config["block_size"],
            tied=config.get("tie_embeddings", True),
            rope_base=float(config["rope_base"]),
            epsilon=config["norm_eps"],
        )
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no {path}") from error
    except KeyError as error:
        raise CheckpointError(f"{path} lacks {error}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is not a configuration of Huginn's kind ({error})"
        ) from error


def _shards(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            names = sorted(
                set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{index} is not an index of shards ({error})") from error
    else:
        names = ["model.safetensors"]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(f"{folder} lacks the weights {', '.join(missing)}")
    return [folder / name for name in names]
