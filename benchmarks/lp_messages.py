"""A training step of the LP networks: messages as sparse products against messages gathered and scattered edge by edge.

Same weights, same programs, same loss, one run, interleaved; the ratio of medians is what counts.
    python benchmarks/lp_messages.py [--programs 250] [--repeats 15]
Writes benchmarks/results/lp_messages.json. The edge-by-edge form is PyTorch Geometric's own gather and `scatter`.
"""

import argparse
import dataclasses
import json
import platform
import statistics
import time
from pathlib import Path

import torch
from equilibria.operators.lp_graph import graph
from equilibria.problems.linear_programs import generate
from equilibria.studies.linear_programs import WIDTHS, new, relative_error, trajectory
from torch_geometric.utils import scatter


@dataclasses.dataclass(frozen=True)
class Edges:
    """The same matrix as a list of edges: what `A @ v` costs when every message is written out."""

    row: torch.Tensor
    column: torch.Tensor
    value: torch.Tensor
    shape: tuple[int, int]

    @property
    def T(self):
        return Edges(self.column, self.row, self.value, self.shape[::-1])

    def __matmul__(self, v):
        return scatter(
            v[self.column] * self.value[:, None], self.row, dim_size=self.shape[0], reduce="sum"
        )


def edges(matrix) -> Edges:
    coo = matrix.csr.to_sparse_coo()
    row, column = coo.indices()
    return Edges(row, column, coo.values(), tuple(coo.shape))


def step(model, x, label) -> float:
    """One training step without the optimiser: six iterations with gradient (an explicit model has one answer)."""
    model.zero_grad()
    *_, y = trajectory(model, x, 6)
    loss = relative_error(y, label).mean()
    loss.backward()
    if label.is_cuda:
        torch.cuda.synchronize()
    return loss.item()


def measure(device: str, programs, repeats: int) -> list[dict]:
    sparse = graph(programs, device=device)
    forms = {"sparse": sparse, "edges": dataclasses.replace(sparse, A=edges(sparse.A))}
    label, rows = programs.y.to(device, torch.float32), []
    for name in [f"{kind}-{width}" for width in WIDTHS for kind in ("explicit", "implicit")]:
        model = new(name).to(device)
        losses = {form: step(model, x, label) for form, x in forms.items()}  # also the warm-up
        assert abs(losses["sparse"] - losses["edges"]) < 1e-4, losses
        seconds = {form: [] for form in forms}
        for _ in range(repeats):
            for form, x in forms.items():
                begun = time.perf_counter()
                step(model, x, label)
                seconds[form].append(time.perf_counter() - begun)
        medians = {form: statistics.median(v) for form, v in seconds.items()}
        # The bare product, forth and back, beside the whole step.
        v = torch.randn(sparse.A.csr.shape[1], model.width, device=device)
        product = {}
        for form, x in forms.items():
            times = []
            for _ in range(5 * repeats):
                begun = time.perf_counter()
                x.A.T @ (x.A @ v)
                if v.is_cuda:
                    torch.cuda.synchronize()
                times.append(time.perf_counter() - begun)
            product[form] = statistics.median(times)
        rows.append(
            {
                "device": device,
                "model": name,
                "step_sparse_ms": 1e3 * medians["sparse"],
                "step_edges_ms": 1e3 * medians["edges"],
                "step_ratio": medians["edges"] / medians["sparse"],
                "product_ratio": product["edges"] / product["sparse"],
            }
        )
        print(
            "{device:5s} {model:12s} step {step_sparse_ms:8.2f} ms sparse, {step_edges_ms:8.2f} ms by edges: {step_ratio:5.2f} times faster "
            "(bare product {product_ratio:5.2f})".format(**rows[-1]),
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
    rows = [
        row
        for device in ["cpu"] + ["cuda"] * torch.cuda.is_available()
        for row in measure(device, programs, options.repeats)
    ]
    path = Path(__file__).parent / "results" / "lp_messages.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        json.dumps(
            {
                "programs": options.programs,
                "threads": options.threads,
                "torch": torch.__version__,
                "python": platform.python_version(),
                "rows": rows,
            },
            indent=1,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
