"""How the cost of a training step grows: with batch, size, iterations and processes.

One step of the Fourier neural operator: K iterations of y <- G(y, x) from zero, the error of the
answer, its gradient and Adam. ``implicit`` solves the adjoint equation with as many iterations,
``unrolled`` goes back through all of them. One quantity grows at a time, the others stay at their
first value. Memory is what autograd keeps for the backward pass in one process, counted in bytes,
and on a GPU also the peak of its allocator.

    python benchmarks/scaling.py [--batch 8 16 32] [--size 32 64 128] [--iterations 8 16 32]
                                 [--processes 1 2] [--repeats 5] [--folder benchmarks/results]

Writes scaling.json and draws scaling.png from it. Processes are started by torchrun, one per GPU
where there are GPUs.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import equilibria as eq
import torch
from equilibria import training
from equilibria.companion import figures
from equilibria.files import write_atomically
from equilibria.operators.fourier import ImplicitFNO
from equilibria.solvers import trajectory
from equilibria.training import parallel
from matplotlib.figure import Figure
from torch import Tensor

GROWING = {
    "batch": "flows per step",
    "size": "points per side",
    "iterations": "iterations K",
    "processes": "processes",
}
STEPS = ("implicit", "unrolled")


class Step:
    """A training step of one kind on random fields: ``loss()`` and ``make()``."""

    def __init__(self, kind: str, *, batch: int, size: int, iterations: int) -> None:
        self.kind = kind
        self.iterations = iterations
        device = training.default_device()
        torch.manual_seed(0)
        self.model = ImplicitFNO(width=20, modes=8).to(device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-4)
        self.x = parallel.rows(torch.randn(batch, 2, size, size)).to(device)
        self.truth = parallel.rows(torch.randn(batch, size, size)).to(device)

    def loss(self) -> Tensor:
        """The mean squared error of y_K."""
        model = self.model
        q = model.encode(self.x)
        if self.kind == "unrolled":
            *_, y = trajectory(model, model.start(q), q, self.iterations)
        else:
            adjoint = eq.Implicit(max_steps=self.iterations, tol=None, throw=False)
            y = eq.equilibrium(
                model,
                model.start(q),
                q,
                method=eq.Picard(),
                max_steps=self.iterations,
                adjoint=adjoint,
                throw=False,
            ).y
        return (model.decode(y) - self.truth).square().mean()

    def make(self) -> None:
        """One step, after which every process has the same weights."""
        self.optimizer.zero_grad()
        self.loss().backward()
        parallel.average(p.grad for p in self.model.parameters() if p.grad is not None)
        self.optimizer.step()
        if self.x.is_cuda:
            torch.cuda.synchronize()


def measure(setting: dict[str, int], repeats: int) -> list[dict]:
    """One row per kind of step: the median of ``repeats`` steps after a first one, and bytes."""
    rows = []
    shape = {name: setting[name] for name in ("batch", "size", "iterations")}
    for kind in STEPS:
        step = Step(kind, **shape)
        step.make()
        if step.x.is_cuda:
            torch.cuda.reset_peak_memory_stats()
        seconds = []
        for _ in range(repeats):
            parallel.wait()
            begun = time.perf_counter()
            step.make()
            seconds.append(time.perf_counter() - begun)
        row = {"step": kind, **setting, "seconds": statistics.median(seconds)}
        row["bytes"] = training.saved_bytes(step.loss, step.model)
        if step.x.is_cuda:
            row["peak_bytes"] = torch.cuda.max_memory_allocated()
        rows.append(row)
    return rows


def measured_elsewhere(setting: dict[str, int], repeats: int) -> list[dict]:
    """The rows of `measure` in processes of their own, so that no setting finds warm memory."""
    command = [sys.executable]
    if setting["processes"] > 1:
        command += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
        command += [str(setting["processes"])]
    command += [__file__, "--repeats", str(repeats), "--worker", json.dumps(setting)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"the setting {setting} failed; its output stands above")
    return json.loads(done.stdout)


def draw(results: dict) -> Figure:
    """Seconds above, memory below, against each quantity that grows."""
    figures.style()
    figure = Figure(figsize=(12, 5.5), layout="constrained")
    axes = figure.subplots(2, len(GROWING), sharey="row")
    for column, (name, label) in enumerate(GROWING.items()):
        for kind, colour in zip(STEPS, ("implicit", "naive"), strict=True):
            rows = [row for row in results[name] if row["step"] == kind]
            places = [row[name] for row in rows]
            for axis, values in (
                (axes[0, column], [row["seconds"] for row in rows]),
                (axes[1, column], [row["bytes"] / 2**20 for row in rows]),
            ):
                axis.plot(places, values, "o-", color=figures.COLOURS[colour], label=kind)
                axis.set(xscale="log", yscale="log", xlabel=label)
                axis.set_xticks(places, [str(place) for place in places])
                axis.minorticks_off()
    axes[0, 0].set_ylabel("seconds per step")
    axes[1, 0].set_ylabel("memory kept for the\nbackward pass (MiB, one process)")
    axes[0, 0].legend()
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--size", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--iterations", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--worker", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)  # processes share the cores, not threads
    if options.worker:
        with parallel.started():
            print(json.dumps(measure(options.worker, options.repeats)))
        return
    results: dict = {"torch": torch.__version__, "machine": platform.machine()}
    results["device"] = training.default_device()
    first = {name: getattr(options, name)[0] for name in GROWING}
    for name in GROWING:
        results[name] = []
        for value in getattr(options, name):
            rows = measured_elsewhere({**first, name: value}, options.repeats)
            results[name] += rows
            for row in rows:
                print(
                    f"{name} {value:4d}  {row['step']:8}  {row['seconds']:.4f} s  "
                    f"{row['bytes'] / 2**20:8.1f} MiB",
                    flush=True,
                )
    write_atomically(options.folder / "scaling.json", json.dumps(results, indent=1) + "\n")
    draw(results).savefig(options.folder / "scaling.png", dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    main()
