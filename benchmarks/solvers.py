"""Picard, Anderson and Broyden beside torchdeq's, on the same problems in one run.

    pip install -e .[benchmarks]
    python benchmarks/solvers.py [--device cpu cuda] [--repeats 9]

Prints three tables: seconds per evaluation beyond G itself; the share of the memory bandwidth of a
plain copy that a step of Anderson's method reaches; and evaluations to tolerance with the fraction
of samples solved. Writes benchmarks/results/solvers.json. The aims are at most 0.4 of torchdeq's
overhead at every size, 60 % of the bandwidth, and never fewer samples solved.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import equilibria as eq
import torch
from torch import Tensor
from torchdeq.solver.anderson import anderson_solver
from torchdeq.solver.broyden import broyden_solver
from torchdeq.solver.fp_iter import fixed_point_iter

RESULTS = Path(__file__).parent / "results" / "solvers.json"
HISTORY = 10
OVERHEAD_AIM = 0.4
BANDWIDTH_AIM = 0.6
SIZES = ((1, 200), (32, 1024), (8, 131072))  # (B, n) of the overhead table
EVALUATIONS = 30
FLOAT = torch.float64

Row = dict[str, Any]


@dataclass
class Problem:
    """Y = G(y, x) from zero, to a relative residual of tol."""

    name: str
    G: Callable[[Tensor, Tensor], Tensor]
    x: Tensor
    tol: float = 1e-8
    max_steps: int = 300  # evaluations


# ---------------------------------------------------------------------------------------- problems


def draw(*shape: int, seed: int | torch.Generator) -> Tensor:
    """Normal numbers, always from the CPU."""
    generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=FLOAT)


def linear(device: str, *, symmetric: bool, batch: int = 16, n: int = 200) -> Problem:
    """A contraction with its spectrum spread over [0, 0.99], plus a skew part if not symmetric."""
    generator = torch.Generator().manual_seed(1)
    q = torch.linalg.qr(draw(n, n, seed=generator))[0]
    a = (q * torch.linspace(0, 0.99, n, dtype=FLOAT)) @ q.T
    if not symmetric:
        skew = draw(n, n, seed=generator) / n**0.5
        a = a + 0.2 * (skew - skew.T)
        a = 0.99 * a / torch.linalg.matrix_norm(a, 2)
    a = a.to(device)
    x = draw(batch, n, seed=generator).to(device)
    name = "linear, symmetric" if symmetric else "linear, not symmetric"
    return Problem(name, lambda y, x: y @ a.T + x, x)


def network(device: str, *, gain: float, batch: int = 32, n: int = 128) -> Problem:
    """Y = tanh(W y + x), where the spectral norm of W is gain."""
    generator = torch.Generator().manual_seed(2)
    w = draw(n, n, seed=generator)
    w = (gain * w / torch.linalg.matrix_norm(w, 2)).to(device)
    x = draw(batch, n, seed=generator).to(device)
    name = f"tanh network, gain {gain}"
    return Problem(name, lambda y, x: torch.tanh(y @ w.T + x), x, max_steps=400)


def reciprocal(device: str) -> Problem:
    """1 / x with eta = 0.5 (paper, section 2)."""
    x = torch.logspace(-2, 0, 32, dtype=FLOAT)[:, None].to(device)
    return Problem("1/x, x in [0.01, 1]", lambda y, x: y - 0.5 * (x * y - 1), x)


def expansive(device: str, batch: int = 16, n: int = 100) -> Problem:
    """Slopes between -4 and 0.5: Picard diverges, secant methods need not."""
    slopes = torch.linspace(-4, 0.5, n, dtype=FLOAT).to(device)
    x = draw(batch, n, seed=3).to(device)
    name = "expansive, slopes in [-4, 0.5]"
    return Problem(name, lambda y, x: slopes * y + x + 0.1 * torch.sin(y), x)


def navier_stokes(
    device: str, *, amplitude: float, batch: int = 16, n: int = 64, viscosity: float = 0.01
) -> Problem:
    """Steady vorticity w = (nu lap)^-1 (u.grad w - curl f) (paper, section 4).

    The force f is made from a random w of standard deviation ``amplitude``, which is therefore a
    solution.
    """
    k = torch.fft.fftfreq(n, 1 / n, dtype=FLOAT, device=device)[:, None]
    m = torch.fft.rfftfreq(n, 1 / n, dtype=FLOAT, device=device)[None]
    square = k**2 + m**2
    inverse = torch.where(square > 0, 1 / square.clamp_min(1), 0.0)  # (-lap)^-1
    resolved = (k.abs() < n / 3) & (m.abs() < n / 3)  # two thirds of the modes: no aliasing

    def back(modes: Tensor) -> Tensor:
        return torch.fft.irfft2(modes, s=(n, n))

    def transport(w: Tensor) -> Tensor:
        """Fourier coefficients of u.grad w."""
        w = torch.fft.rfft2(w) * resolved
        stream = w * inverse
        along_x = back(1j * m * stream) * back(1j * k * w)
        along_y = back(1j * k * stream) * back(1j * m * w)
        return torch.fft.rfft2(along_x - along_y) * resolved

    def G(w: Tensor, curl: Tensor) -> Tensor:
        return back((torch.fft.rfft2(curl) - transport(w)) * inverse / viscosity)

    noise = torch.fft.rfft2(draw(batch, n, n, seed=4).to(device))
    w = back(noise * square * torch.exp(-square / 4) * resolved)  # its spectrum peaks at 2
    w = amplitude * w / w.std(dim=(1, 2), keepdim=True)
    curl = back(transport(w) + viscosity * square * torch.fft.rfft2(w))
    residual = (G(w, curl) - w).abs().max().item()
    if residual > 1e-12:
        raise RuntimeError(f"the manufactured vorticity is no fixed point: residual {residual}")
    return Problem(f"Navier-Stokes 64^2, std(w) = {amplitude}", G, curl, max_steps=400)


def problems(device: str) -> list[Problem]:
    return [
        linear(device, symmetric=True),
        linear(device, symmetric=False),
        network(device, gain=0.9),
        network(device, gain=3.0),
        reciprocal(device),
        expansive(device),
        navier_stokes(device, amplitude=0.02),
        navier_stokes(device, amplitude=0.05),
        navier_stokes(device, amplitude=0.1),
    ]


# ----------------------------------------------------------------------------------------- solvers

OURS = {
    "Picard": eq.Picard(),
    "Anderson": eq.Anderson(history=HISTORY),
    "Broyden": eq.Broyden(history=HISTORY),
    "NewtonKrylov": eq.NewtonKrylov(),
}


@dataclass(frozen=True)
class Peer:
    """A solver of torchdeq."""

    solve: Callable[..., Any]
    settings: dict[str, Any]  # what differs from its own defaults
    unrecorded: int  # evaluations before the first that its trace records


PEERS = {
    "Picard": Peer(fixed_point_iter, {}, 0),
    "Anderson": Peer(anderson_solver, {"m": HISTORY}, 2),
    "Broyden": Peer(broyden_solver, {"LBFGS_thres": HISTORY}, 1),
    # not its default, and its best here
    "Anderson, lam=0": Peer(anderson_solver, {"m": HISTORY, "lam": 0.0}, 2),
}
PAIRS = (
    ("Picard", "Picard"),
    ("Anderson", "Anderson"),
    ("Anderson", "Anderson, lam=0"),
    ("Broyden", "Broyden"),
    ("NewtonKrylov", None),
)


def solve_ours(name: str, problem: Problem, max_steps: int, tol: float) -> tuple[Tensor, Tensor]:
    """Whether each sample was solved, and after how many evaluations, (B,) both."""
    solution = eq.solve(
        problem.G,
        torch.zeros_like(problem.x),
        problem.x,
        method=OURS[name],
        max_steps=max_steps,
        tol=tol,
        throw=False,
    )
    return solution.success, solution.steps


def solve_theirs(name: str, problem: Problem, max_steps: int, tol: float) -> tuple[Tensor, Tensor]:
    """The same for torchdeq.

    It stops a batch as one: a sample counts as solved at its first residual below tol.
    """
    peer = PEERS[name]
    steps = max_steps - 1 if name == "Broyden" else max_steps  # it evaluates once before it counts
    with torch.no_grad():
        try:
            _, _, info = peer.solve(
                lambda y: problem.G(y, problem.x),
                torch.zeros_like(problem.x),
                max_iter=steps,
                tol=tol,
                stop_mode="rel",
                **peer.settings,
            )
        except torch.linalg.LinAlgError:  # one singular system ends the whole batch
            unsolved = torch.zeros(len(problem.x), dtype=torch.bool)
            return unsolved, torch.full((len(problem.x),), max_steps)
    passed = info["rel_trace"][:, 1:] <= tol  # its first entry is a placeholder
    return passed.any(dim=1), passed.int().argmax(dim=1) + 1 + peer.unrecorded


# ------------------------------------------------------------------------------------ measurements


def seconds(run: Callable[[], object], device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    begin = time.perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def iterate_bare(problem: Problem) -> None:
    """The evaluations of G alone."""
    y = torch.zeros_like(problem.x)
    with torch.no_grad():
        for _ in range(EVALUATIONS):
            y = problem.G(y, problem.x)


def diagonal(device: str, batch: int, n: int) -> Problem:
    """A cheap operator in float32, whose tol is never reached: both sides make all stop tests."""
    slopes = torch.linspace(0, 0.9999, n, device=device)
    x = torch.randn(batch, n, generator=torch.Generator().manual_seed(0)).to(device)
    return Problem(f"{batch} x {n}", lambda y, x: torch.addcmul(x, slopes, y), x, tol=2e-7)


def overhead(name: str, problem: Problem, device: str, repeats: int) -> Row:
    """Seconds per evaluation beyond G, for one method on both sides, which run side by side."""
    runs = (
        partial(iterate_bare, problem),
        partial(solve_ours, name, problem, EVALUATIONS, problem.tol),
        partial(solve_theirs, name, problem, EVALUATIONS, problem.tol),
    )
    times = []
    for _ in range(repeats + 2):
        times.append([seconds(run, device) for run in runs])
    warmed_up = times[2:]
    bare, ours, theirs = (statistics.median(column) for column in zip(*warmed_up, strict=True))
    ours = (ours - bare) / EVALUATIONS
    theirs = (theirs - bare) / EVALUATIONS
    return {
        "device": device,
        "size": problem.name,
        "method": name,
        "ours": ours,
        "torchdeq": theirs,
        "ratio": ours / theirs,
    }


def overheads(device: str, repeats: int) -> list[Row]:
    rows = []
    for batch, n in SIZES:
        problem = diagonal(device, batch, n)
        for name in ("Picard", "Anderson", "Broyden"):
            rows.append(overhead(name, problem, device, repeats))
    return rows


def bandwidth(device: str, repeats: int) -> Row:
    """Bytes per second of a step of Anderson's method, over those of a plain copy.

    The step is counted as if each operation read and wrote its vectors once: 2 m of the history,
    and 16 for the residual, both norms, both differences, the products and the new point.
    """
    batch, n = SIZES[-1]
    problem = diagonal(device, batch, n)
    vectors = 2 * HISTORY + 16
    source = torch.randn(HISTORY, *problem.x.shape, device=device)
    target = torch.empty_like(source)
    runs = (
        partial(iterate_bare, problem),
        partial(solve_ours, "Anderson", problem, EVALUATIONS, problem.tol),
        partial(target.copy_, source),
    )
    times = [[seconds(run, device) for run in runs] for _ in range(repeats + 2)][2:]
    bare, ours, copy = (statistics.median(column) for column in zip(*times, strict=True))
    size = problem.x.nbytes
    of_step = vectors * size * EVALUATIONS / (ours - bare)
    of_copy = 2 * source.nbytes / copy
    return {
        "device": device,
        "size": problem.name,
        "GB/s of a step": of_step / 1e9,
        "GB/s of a copy": of_copy / 1e9,
        "share": of_step / of_copy,
        "aim": BANDWIDTH_AIM,
    }


def success(
    problem: Problem, solve: Callable[..., tuple[Tensor, Tensor]], name: str | None
) -> tuple[float | None, float | None]:
    """The fraction of samples solved, and the median evaluations of those; None for no solver."""
    if name is None:
        return None, None
    solved, evaluations = solve(name, problem, problem.max_steps, problem.tol)
    median = evaluations[solved].double().median().item() if bool(solved.any()) else None
    return solved.double().mean().item(), median


def successes(device: str) -> list[Row]:
    rows = []
    for problem in problems(device):
        for name, peer in PAIRS:
            row: Row = {"device": device, "problem": problem.name, "method": name, "torchdeq": peer}
            row["ours_solved"], row["ours_evaluations"] = success(problem, solve_ours, name)
            solved, evaluations = success(problem, solve_theirs, peer)
            row["torchdeq_solved"], row["torchdeq_evaluations"] = solved, evaluations
            rows.append(row)
    return rows


# ------------------------------------------------------------------------------------------ report


def text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def show(title: str, rows: list[Row]) -> None:
    lines = [list(rows[0])]
    for row in rows:
        lines.append([text(value) for value in row.values()])
    widths = []
    for column in zip(*lines, strict=True):
        widths.append(max(len(cell) for cell in column))
    print(f"\n{title}")
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        print("  ".join(cells).rstrip())


def summarise(timed: list[Row], solved: list[Row]) -> Row:
    fewer = []
    for row in solved:
        if row["ours_solved"] < (row["torchdeq_solved"] or 0):
            fewer.append(f"{row['problem']}: {row['torchdeq']}")
    return {
        "overhead_ratio": math.exp(statistics.fmean(math.log(row["ratio"]) for row in timed)),
        "worst_ratio": max(row["ratio"] for row in timed),
        "aim": OVERHEAD_AIM,
        "fewer_solved": fewer,
    }


def main() -> None:
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    timed_runs = "timed runs of each solver, side by side; medians are reported"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", nargs="+", choices=("cpu", "cuda"), default=devices)
    parser.add_argument("--repeats", type=int, default=9, help=timed_runs)
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    timed, moved, solved = [], [], []
    for device in arguments.device:
        timed += overheads(device, arguments.repeats)
        moved.append(bandwidth(device, arguments.repeats))
    show(
        f"Seconds per evaluation beyond G (float32, history {HISTORY}, {EVALUATIONS} evaluations)",
        timed,
    )
    show("Memory bandwidth of a step of Anderson's method", moved)
    for device in arguments.device:
        solved += successes(device)
    show(
        "Fraction of samples solved to 1e-8, and median evaluations of those "
        "(float64; products with a Jacobian count in NewtonKrylov's)",
        solved,
    )
    summary = summarise(timed, solved)
    print(
        f"\noverhead over torchdeq's: {summary['overhead_ratio']:.2f} (geometric mean), "
        f"worst {summary['worst_ratio']:.2f}, aim {OVERHEAD_AIM}"
    )
    fewer = ", ".join(summary["fewer_solved"]) or "none"
    print(f"problems of which torchdeq solves more: {fewer}")
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchdeq": importlib.metadata.version("torchdeq"),
        "equilibria": eq.__version__,
    }
    results = {
        "summary": summary,
        "overhead": timed,
        "bandwidth": moved,
        "problems": solved,
        "versions": versions,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
