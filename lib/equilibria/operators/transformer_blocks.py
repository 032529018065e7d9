"""Blocks of a looped transformer: attention, gated MLP, and where the tokens stand.

A sandwich block, as in Huginn-0125 (Geiping et al. 2025), computes

    h <- norm_2(attention(norm_1(h)) + h)
    h <- norm_4(mlp(norm_3(h)) + h)

with RMS norms and a SiLU-gated MLP. Queries and keys have learned biases; nothing else has one.
A pre-norm block leaves out norm_2 and norm_4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from equilibria.checks import require, require_int

__all__ = ["Architecture", "Block", "Extend", "Layout", "apply_blocks"]

# Attention hands its new keys and values, both (B, heads, n, head), to this function
# and gets back those of every token that its queries may see.
Extend = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Sizes and details of a looped transformer; the defaults are Huginn-0125's.

    Raises TypeError for a number that should be an int, ValueError for a value out of range.

    ===========================  =================================================================
    vocabulary, width >= 1       number of tokens; length of a token's vector
    heads, hidden >= 1           heads divide the width into even sizes; width inside the MLP
    prelude, core, coda          blocks before, in and after the loop; core has at least 1
    context >= 1                 the longest sequence
    injection                    "adapter": a linear map of [z, x]; "add": z + x
    positions                    "rotary": rotations of base rope_base on interleaved pairs;
                                 "distance": scores minus slope_h |i - j|, slopes learned per head
    norms                        "sandwich" (four per block) or "pre" (norm_1 and norm_3 only)
    state_norm                   whether an RMS norm follows each iteration
    tied                         whether the head shares the embedding's weights
    rope_base, epsilon > 0       base of the rotations; RMS norms divide by sqrt(mean + epsilon)
    ===========================  =================================================================
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

    def __post_init__(self) -> None:
        for name in ("vocabulary", "width", "heads", "hidden", "core", "context"):
            self._require_int(name, 1)
        for name in ("prelude", "coda"):
            self._require_int(name, 0)
        self._require_one_of("injection", ("adapter", "add"))
        self._require_one_of("positions", ("rotary", "distance"))
        self._require_one_of("norms", ("sandwich", "pre"))
        self._require_one_of("state_norm", (False, True))
        self._require_one_of("tied", (False, True))
        if self.width % (2 * self.heads):
            raise ValueError(
                f"heads must divide width = {self.width} into even parts, got {self.heads}"
            )
        for name in ("rope_base", "epsilon"):
            value = getattr(self, name)
            require(value > 0, name, value, "positive")

    def _require_int(self, name: str, least: int) -> None:
        require_int(name, getattr(self, name), least=least)

    def _require_one_of(self, name: str, choices: tuple[object, ...]) -> None:
        value = getattr(self, name)
        require(value in choices, name, value, f"one of {choices}")

    @property
    def head_size(self) -> int:
        """Entries of a token's vector that one head sees."""
        return self.width // self.heads


@dataclass(frozen=True)
class Layout:
    """Where the tokens of one call stand and what they may see; made once, used by every block.

    The batch size B may be 1 where all sequences are alike. n is the number of tokens and m the
    number of keys.

    positions  (B, n) place of each token in its sequence
    rotation   cosines and sines, each (B, n, 1, 1, head / 2); None without rotary positions
    future     (B, 1, n, m) bool: the keys that a query may not see
    distance   (B, 1, n, m) from query to key; None with rotary positions
    """

    positions: Tensor
    rotation: tuple[Tensor, Tensor] | None
    future: Tensor
    distance: Tensor | None

    @classmethod
    def of(
        cls, architecture: Architecture, positions: Tensor, reach: int, dtype: torch.dtype
    ) -> Layout:
        """The layout of tokens at ``positions`` (B, n) and keys at places 0, ..., reach - 1."""
        keys = torch.arange(reach, device=positions.device)
        distance = positions[:, None, :, None] - keys
        if architecture.positions == "distance":
            return cls(positions, None, distance < 0, distance.to(dtype))
        return cls(positions, _rotation(architecture, positions, dtype), distance < 0, None)

    def rows(self, rows: Tensor | None) -> Layout:
        """The layout of some sequences of the batch; ``rows`` is None for all of them."""
        if rows is None or len(self.positions) == 1:
            return self
        rotation = None
        if self.rotation is not None:
            cos, sin = self.rotation
            rotation = cos[rows], sin[rows]
        distance = None if self.distance is None else self.distance[rows]
        return Layout(self.positions[rows], rotation, self.future[rows], distance)


def _rotation(
    architecture: Architecture, positions: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    # angle of pair i at position p: p / base^(2 i / head), in float32 at least
    size = architecture.head_size
    wide = torch.promote_types(dtype, torch.float32)
    exponent = torch.arange(0, size, 2, device=positions.device, dtype=wide) / size
    angle = positions[..., None, None, None] / architecture.rope_base**exponent
    return angle.cos(), angle.sin()


def _rotate(vectors: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate each interleaved pair of entries by its token's angle."""
    cos, sin = rotation
    even = vectors[..., 0::2].to(cos)
    odd = vectors[..., 1::2].to(cos)
    # (even + i odd) (cos + i sin)
    turned = torch.stack([even * cos - odd * sin, odd * cos + even * sin], -1)
    return turned.flatten(-2).to(vectors)


class _Attention(nn.Module):
    """Causal self-attention with several heads.

    It is written out because PyTorch's fused attention has no second derivative, which
    `lipschitz.local` needs.
    """

    def __init__(self, architecture: Architecture):
        super().__init__()
        width = architecture.width
        self.heads = architecture.heads
        self.Wqkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width, bias=False)
        self.qk_bias = nn.Parameter(torch.zeros(2, 1, self.heads, architecture.head_size))
        if architecture.positions == "distance":
            # the first head looks at its neighbours, the last one at nearly the whole sequence
            slopes = torch.linspace(math.log(2), math.log(1 / 32), self.heads)
            self.log_slope = nn.Parameter(slopes)

    def forward(self, h: Tensor, layout: Layout, extend: Extend | None) -> Tensor:
        batch, n, width = h.shape
        # the biases of queries and keys are added before the rotation; values have none
        bias = torch.cat([self.qk_bias.flatten(), self.qk_bias.new_zeros(width)])
        qkv = functional.linear(h, self.Wqkv.weight, bias).view(batch, n, 3, self.heads, -1)
        queries_and_keys = qkv[:, :, :2]
        if layout.rotation is not None:
            queries_and_keys = _rotate(queries_and_keys, layout.rotation)
        q = queries_and_keys[:, :, 0].transpose(1, 2)  # (B, heads, n, head)
        k = queries_and_keys[:, :, 1].transpose(1, 2)
        v = qkv[:, :, 2].transpose(1, 2)
        if extend is not None:
            k, v = extend(k, v)
        # softmax(q k' / sqrt(head) - slope |i - j|) v
        scores = (q * q.shape[-1] ** -0.5) @ k.mT
        if layout.distance is not None:
            scores = scores - self.log_slope.exp()[:, None, None] * layout.distance
        weights = scores.masked_fill(layout.future, -torch.inf).softmax(-1)
        mixed = (weights @ v).transpose(1, 2).reshape(batch, n, width)
        projected: Tensor = self.proj(mixed)
        return projected


class _GatedMLP(nn.Module):
    """W_2 (silu(W_1 h) * V_1 h); W_1 and V_1 are stored as one matrix."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.fc = nn.Linear(architecture.width, 2 * architecture.hidden, bias=False)
        self.proj = nn.Linear(architecture.hidden, architecture.width, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        gate, value = self.fc(h).chunk(2, -1)
        projected: Tensor = self.proj(functional.silu(gate) * value)
        return projected


class Block(nn.Module):
    """One transformer block, see the head of the module; (B, n, width) -> (B, n, width)."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        width, epsilon = architecture.width, architecture.epsilon
        self.sandwich = architecture.norms == "sandwich"
        self.norm_1 = nn.RMSNorm(width, epsilon)
        self.norm_3 = nn.RMSNorm(width, epsilon)
        if self.sandwich:
            self.norm_2 = nn.RMSNorm(width, epsilon)
            self.norm_4 = nn.RMSNorm(width, epsilon)
        self.attn = _Attention(architecture)
        self.mlp = _GatedMLP(architecture)

    def forward(self, h: Tensor, layout: Layout, extend: Extend | None = None) -> Tensor:
        """The block's output; ``extend`` adds cached keys and values."""
        h = self.attn(self.norm_1(h), layout, extend) + h
        if self.sandwich:
            h = self.norm_2(h)
        h = self.mlp(self.norm_3(h)) + h
        if self.sandwich:
            h = self.norm_4(h)
        return h


def apply_blocks(
    blocks: nn.ModuleList, h: Tensor, layout: Layout, extends: Sequence[Extend] | None
) -> Tensor:
    """Apply ``blocks`` in turn; ``extends`` holds one function per block, or is None."""
    for i, block in enumerate(blocks):
        extend = None if extends is None else extends[i]
        h = block(h, layout, extend)
    return h
