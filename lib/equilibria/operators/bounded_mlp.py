"""Networks under a Lipschitz bound, for the learned toy of section 2: explicit y = N(x), implicit G(y, x) = N(y, x).

inputs   one (B, 1) tensor each, e.g. y and x       limits   the bound on |dN/d input|, one per input
width    units of each hidden layer                 maxmin   sorts pairs of units: keeps the gradient's norm (Anil et al. 2019)
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["BoundedMLP"]


class BoundedMLP(nn.Module):
    """N(a_1, ..., a_k) with |dN/da_i| <= limits[i]: N = W_m s(... s(W_1 s(sum_i limits[i] v_i a_i + b_0) + b_1) ...) + b_m.

    Every v_i (width, 1) and W_j has spectral norm 1 and s = maxmin is 1-Lipschitz, so each input has its own bound. With
    limits (alpha, L) for (y, x), alpha < 1, N is regular (Definition 2.3): y -> N contracts, x -> N is L-Lipschitz, and
    its fixed point may be L / (1 - alpha) steep (Theorem 2.5). The bounds are kept by spectral normalisation while
    `normalise` is on and are exact after `freeze`; `bounds` measures them.

    limits  positive, one per input       width  even       layers  number of (width, width) matrices
    spans   (low, high) per input, where the units are placed to begin with
    Raises ValueError for settings out of range.
    """

    def __init__(
        self,
        limits: Sequence[float],
        *,
        width: int,
        layers: int,
        spans: Sequence[tuple[float, float]],
    ):
        super().__init__()
        if not limits or any(not limit > 0 for limit in limits) or len(spans) != len(limits):
            raise ValueError(
                f"limits must be positive, with one span each, got limits {limits!r} and spans {spans!r}"
            )
        if width < 2 or width % 2 or layers < 0:
            raise ValueError(
                f"width must be even and layers not negative, got width {width!r} and layers {layers!r}"
            )
        self.limits = tuple(limits)
        self.first = nn.ModuleList(nn.Linear(1, width, bias=False) for _ in limits)
        self.bias = nn.Parameter(torch.zeros(width))
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.last = nn.Linear(width, 1)
        with torch.no_grad():
            for limit, layer, (low, high) in zip(limits, self.first, spans, strict=True):
                layer.weight.copy_(nn.functional.normalize(torch.randn(width, 1), dim=0))
                self.bias -= limit * layer.weight[:, 0] * (low + (high - low) * torch.rand(width))
            for layer in self.hidden:
                nn.init.orthogonal_(layer.weight)
                layer.bias.zero_()
            self.last.weight.copy_(nn.functional.normalize(torch.randn(1, width), dim=1))

    def forward(self, *inputs: Tensor) -> Tensor:
        a = self.bias + sum(
            limit * layer(value)
            for limit, layer, value in zip(self.limits, self.first, inputs, strict=True)
        )
        for layer in self.hidden:
            a = layer(_maxmin(a))
        return self.last(_maxmin(a))

    def normalise(self) -> "BoundedMLP":
        """Divide every matrix by its spectral norm from now on, by one power iteration an evaluation in training mode."""
        for layer in self._layers():
            spectral_norm(layer)
        return self

    def freeze(self) -> "BoundedMLP":
        """Bake the normalisation into plain weights, with exact norms: what is saved, and what the bounds are claimed for."""
        for layer in self._layers():
            if parametrize.is_parametrized(layer):
                parametrize.remove_parametrizations(layer, "weight")
        with torch.no_grad():
            for layer in self._layers():
                layer.weight /= torch.linalg.matrix_norm(layer.weight, 2) * (
                    1 + 1e-6
                )  # a hair below 1, float32 rounding included
        return self

    @torch.no_grad()
    def bounds(self) -> tuple[float, ...]:
        """limits[i] times the product of the exact spectral norms on the way from input i: at most limits[i]."""
        shared = torch.stack(
            [
                torch.linalg.matrix_norm(layer.weight.double(), 2)
                for layer in (*self.hidden, self.last)
            ]
        ).prod()
        return tuple(
            limit * float(shared * layer.weight.double().norm())
            for limit, layer in zip(self.limits, self.first, strict=True)
        )

    def _layers(self) -> list[nn.Linear]:
        return [*self.first, *self.hidden, self.last]


def _maxmin(a: Tensor) -> Tensor:
    left, right = a.chunk(2, dim=-1)
    return torch.cat([torch.maximum(left, right), torch.minimum(left, right)], dim=-1)
