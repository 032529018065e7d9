"""A walk through the core, with modules hidden: python core_alone.py MODULES_AS_JSON FOLDER."""

from __future__ import annotations

import json
import sys
from pathlib import Path


class Finder:
    """Finds what another finder does, as if the hidden modules were not installed."""

    def __init__(self, finder, hidden):
        self.finder = finder
        self.hidden = hidden

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.hidden:
            return None
        return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)


def hide(modules: set[str]) -> None:
    """Make imports of ``modules`` fail from now on."""
    sys.meta_path[:] = [Finder(finder, modules) for finder in sys.meta_path]


def walk(folder: Path) -> None:
    """Solve, differentiate, measure, save and load."""
    import equilibria as eq
    import torch
    from equilibria import checkpoints

    a = torch.full((1, 1), 0.5, dtype=torch.float64, requires_grad=True)
    b = torch.ones(1, 1, dtype=torch.float64)

    def G(y, x):
        return a * y + x  # y* = b / (1 - a), whose derivative is b / (1 - a)^2

    for method in (eq.Picard(), eq.Anderson(), eq.Broyden(), eq.NewtonKrylov()):
        y = eq.equilibrium(G, 0 * b, b, method=method, max_steps=100, tol=1e-10).y
        (slope,) = torch.autograd.grad(y.sum(), a)
        assert abs(y.item() - 2) < 1e-9, method
        assert abs(slope.item() - 4) < 1e-8, method
    assert abs(eq.lipschitz.local(lambda x: 3 * x, b).item() - 3) < 1e-9
    assert eq.regularity.audit(G, 0 * b, b).regular
    model, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    checkpoints.save(folder / "model", model, {"name": "model"})
    checkpoints.load(folder / "model", other)
    assert torch.equal(model.weight, other.weight)


if __name__ == "__main__":
    hidden = set(json.loads(sys.argv[1]))
    hide(hidden)
    walk(Path(sys.argv[2]))
    imported = {name.partition(".")[0] for name in sys.modules}
    print("hidden and imported:", sorted(hidden & imported))
