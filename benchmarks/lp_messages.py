"""A training step of the LP networks, with messages as sparse products and edge by edge.

Both forms have the same weights, programs and loss, and their repeats alternate in one run; what
counts is the ratio of medians.

    python benchmarks/lp_messages.py [--programs 250] [--repeats 15] [--threads 1]

Writes benchmarks/results/lp_messages.json. The edge-by-edge form gathers and scatters with PyTorch
Geometric's own `scatter`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from equilibria.operators.lp_graph import Graph, Matrix, graph
from equilibria.problems.linear_programs import LinearPrograms, generate
from equilibria.studies.linear_programs import WIDTHS, new, relative_error, trajectory
from torch import Tensor, nn
from torch_geometric.utils import scatter

DEPTH = 6  # iterations with gradient; an explicit model has one answer


@dataclasses.dataclass(frozen=True)
class Edges:
    """The same matrix as a list of edges: what `A @ v` costs when every message is written out."""

    row: Tensor
    column: Tensor
    value: Tensor
    shape: tuple[int, int]

    @property
    def T(self) -> Edges:
        """The transposed matrix."""
        return Edges(self.column, self.row, self.value, self.shape[::-1])

    def __matmul__(self, v: Tensor) -> Tensor:
        messages = v[self.column] * self.value[:, None]
        return scatter(messages, self.row, dim_size=self.shape[0], reduce="sum")


def edges(matrix: Matrix) -> Edges:
    coo = matrix.csr.to_sparse_coo()
    row, column = coo.indices()
    return Edges(row, column, coo.values(), tuple(coo.shape))


def step(model: nn.Module, x: Graph, label: Tensor) -> Tensor:
    """One training step without the optimiser; the loss."""
    model.zero_grad()
    *_, y = trajectory(model, x, DEPTH)
    loss = relative_error(y, label).mean()
    loss.backward()
    return loss.detach()


def medians(work: dict[str, Callable[[], object]], repeats: int, device: str) -> dict[str, float]:
    """Median seconds of each piece of work; the repeats alternate."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeats):
        for name, compute in work.items():
            begun = time.perf_counter()
            compute()
            if device == "cuda":
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(values) for name, values in seconds.items()}


def measure(name: str, forms: dict[str, Graph], label: Tensor, repeats: int, device: str) -> dict:
    """One row of the results: the whole step, and the bare product forth and back beside it."""
    model = new(name).to(device)
    v = torch.randn(forms["sparse"].A.csr.shape[1], model.width, device=device)

    def train(form: str) -> Tensor:
        return step(model, forms[form], label)

    def multiply(form: str) -> Tensor:
        A = forms[form].A
        return A.T @ (A @ v)

    # This is the warm-up, too.
    torch.testing.assert_close(train("sparse"), train("edges"), rtol=0, atol=1e-4)
    steps = {"sparse": lambda: train("sparse"), "edges": lambda: train("edges")}
    products = {"sparse": lambda: multiply("sparse"), "edges": lambda: multiply("edges")}
    whole = medians(steps, repeats, device)
    bare = medians(products, 5 * repeats, device)
    return {
        "device": device,
        "model": name,
        "step_sparse_ms": 1e3 * whole["sparse"],
        "step_edges_ms": 1e3 * whole["edges"],
        "step_ratio": whole["edges"] / whole["sparse"],
        "product_ratio": bare["edges"] / bare["sparse"],
    }


def measure_all(programs: LinearPrograms, repeats: int, device: str) -> list[dict]:
    sparse = graph(programs, device=device)
    forms = {"sparse": sparse, "edges": dataclasses.replace(sparse, A=edges(sparse.A))}
    label = programs.y.to(device, torch.float32)
    rows = []
    for width in WIDTHS:
        for kind in ("explicit", "implicit"):
            row = measure(f"{kind}-{width}", forms, label, repeats, device)
            rows.append(row)
            print(
                f"{device:5s} {row['model']:12s} step {row['step_sparse_ms']:8.2f} ms sparse, "
                f"{row['step_edges_ms']:8.2f} ms by edges: {row['step_ratio']:5.2f} times faster "
                f"(bare product {row['product_ratio']:5.2f})",
                flush=True,
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=250)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    programs = generate(options.programs, seed=0)
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    rows = []
    for device in devices:
        rows += measure_all(programs, options.repeats, device)
    results = {
        "programs": options.programs,
        "threads": options.threads,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "rows": rows,
    }
    path = Path(__file__).parent / "results" / "lp_messages.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
