"""Our Picard, Anderson and Broyden beside torchdeq's, on the same problems in one run (pip install equilibria[benchmarks]).

    python benchmarks/solvers.py [--device cpu cuda] [--repeats 9]

Two tables: seconds per evaluation beyond G itself, and evaluations to tolerance with the fraction of samples solved.
Writes benchmarks/results/solvers.json. Aims: at most half of torchdeq's overhead, never fewer samples solved.
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
from pathlib import Path

import equilibria as eq
import torch
from torch import Tensor
from torchdeq.solver.anderson import anderson_solver
from torchdeq.solver.broyden import broyden_solver
from torchdeq.solver.fp_iter import fixed_point_iter

RESULTS = Path(__file__).parent / "results" / "solvers.json"
HISTORY = 10
OVERHEAD_AIM = 0.5
SIZES = ((1, 200), (32, 1024), (8, 131072))  # (B, n) of the overhead table
EVALUATIONS = 30


@dataclass
class Problem:
    name: str
    G: Callable[[Tensor, Tensor], Tensor]
    x: Tensor
    tol: float
    max_steps: int  # evaluations


# --------------------------------------------------------------------------------------------------------- problems


def linear(device, *, symmetric: bool, batch: int = 16, n: int = 200) -> Problem:
    """Contraction with spectrum spread over [0, 0.99]; not symmetric: a random similarity of it on top."""
    generator = torch.Generator().manual_seed(1)
    q = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))[0]
    a = (q * torch.linspace(0, 0.99, n, dtype=torch.float64)) @ q.T
    if not symmetric:
        skew = torch.randn(n, n, generator=generator, dtype=torch.float64) / n**0.5
        a = a + 0.2 * (skew - skew.T)
        a = 0.99 * a / torch.linalg.matrix_norm(a, 2)
    a = a.to(device)
    x = torch.randn(batch, n, generator=generator, dtype=torch.float64).to(device)
    return Problem(
        f"linear, {'symmetric' if symmetric else 'not symmetric'}",
        lambda y, x: y @ a.T + x,
        x,
        1e-8,
        300,
    )


def network(device, *, gain: float, batch: int = 32, n: int = 128) -> Problem:
    """Y = tanh(W y + x), spectral norm of W = gain."""
    generator = torch.Generator().manual_seed(2)
    w = torch.randn(n, n, generator=generator, dtype=torch.float64)
    w = (gain * w / torch.linalg.matrix_norm(w, 2)).to(device)
    x = torch.randn(batch, n, generator=generator, dtype=torch.float64).to(device)
    return Problem(f"tanh network, gain {gain}", lambda y, x: torch.tanh(y @ w.T + x), x, 1e-8, 400)


def reciprocal(device) -> Problem:
    """1 / x (paper, section 2), eta = 0.5."""
    x = torch.logspace(-2, 0, 32, dtype=torch.float64)[:, None].to(device)
    return Problem("1/x, x in [0.01, 1]", lambda y, x: y - 0.5 * (x * y - 1), x, 1e-8, 300)


def expansive(device, batch: int = 16, n: int = 100) -> Problem:
    """Affine with slopes between -4 and 0.5: Picard diverges, secant methods need not."""
    generator = torch.Generator().manual_seed(3)
    slopes = torch.linspace(-4, 0.5, n, dtype=torch.float64).to(device)
    x = torch.randn(batch, n, generator=generator, dtype=torch.float64).to(device)
    return Problem(
        "expansive, slopes in [-4, 0.5]",
        lambda y, x: slopes * y + x + 0.1 * torch.sin(y),
        x,
        1e-8,
        300,
    )


def navier_stokes(
    device, *, amplitude: float, batch: int = 16, n: int = 64, viscosity: float = 0.01
) -> Problem:
    """Steady vorticity (paper, section 4): w = (nu lap)^-1 (u.grad w - curl f), f made from a random w of that std."""
    k = torch.fft.fftfreq(n, 1 / n, dtype=torch.float64, device=device)[:, None]
    l = torch.fft.rfftfreq(n, 1 / n, dtype=torch.float64, device=device)[None]
    square = k**2 + l**2
    inverse = torch.where(square > 0, 1 / square.clamp_min(1), 0.0)  # (-lap)^-1
    kept = (k.abs() < n / 3) & (l.abs() < n / 3)  # two thirds of the modes: no aliasing
    back = lambda a: torch.fft.irfft2(a, s=(n, n))

    def transport(w: Tensor) -> Tensor:  # Fourier coefficients of u.grad w
        w = torch.fft.rfft2(w) * kept
        stream = w * inverse
        return (
            torch.fft.rfft2(
                back(1j * l * stream) * back(1j * k * w) - back(1j * k * stream) * back(1j * l * w)
            )
            * kept
        )

    def G(w: Tensor, curl: Tensor) -> Tensor:
        return back((torch.fft.rfft2(curl) - transport(w)) * inverse / viscosity)

    generator = torch.Generator().manual_seed(4)
    noise = torch.randn(batch, n, n, generator=generator, dtype=torch.float64).to(device)
    w = back(torch.fft.rfft2(noise) * square * torch.exp(-square / 4) * kept)  # peak wavenumber 2
    w = amplitude * w / w.std(dim=(1, 2), keepdim=True)
    curl = back(transport(w) + viscosity * square * torch.fft.rfft2(w))
    residual = (G(w, curl) - w).abs().max().item()
    if residual > 1e-12:
        raise RuntimeError(f"the manufactured vorticity is no fixed point: residual {residual}")
    return Problem(f"Navier-Stokes 64^2, std(w) = {amplitude}", G, curl, 1e-8, 400)


def problems(device) -> list[Problem]:
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


# ---------------------------------------------------------------------------------------------------------- solvers

OURS = {
    "Picard": eq.Picard(),
    "Anderson": eq.Anderson(history=HISTORY),
    "Broyden": eq.Broyden(history=HISTORY),
    "NewtonKrylov": eq.NewtonKrylov(),
}
# torchdeq's solver, its settings (its own defaults otherwise), and the evaluations before the first that its trace records
THEIRS = {
    "Picard": (fixed_point_iter, {}, 0),
    "Anderson": (anderson_solver, {"m": HISTORY}, 2),
    "Broyden": (broyden_solver, {"LBFGS_thres": HISTORY}, 1),
    "Anderson, lam=0": (
        anderson_solver,
        {"m": HISTORY, "lam": 0.0},
        2,
    ),  # not its default, and its best here
}


def solve_ours(
    name: str, problem: Problem, max_steps: int, tol: float | None
) -> tuple[Tensor, Tensor]:
    """(solved, evaluations), each (B,)."""
    start = torch.zeros_like(problem.x)
    solution = eq.solve(
        problem.G, start, problem.x, method=OURS[name], max_steps=max_steps, tol=tol, throw=False
    )
    return solution.success, solution.steps


def solve_theirs(name: str, problem: Problem, max_steps: int, tol: float) -> tuple[Tensor, Tensor]:
    """The same for torchdeq, which stops a batch as one: a sample counts as solved at its first residual below tol."""
    solver, settings, before = THEIRS[name]
    steps = max_steps - (1 if name == "Broyden" else 0)  # Broyden evaluates once before it counts
    with torch.no_grad():
        try:
            _, _, info = solver(
                lambda y: problem.G(y, problem.x),
                torch.zeros_like(problem.x),
                max_iter=steps,
                tol=tol,
                stop_mode="rel",
                **settings,
            )
        except torch.linalg.LinAlgError:  # one singular system ends the whole batch
            return torch.zeros(len(problem.x), dtype=torch.bool), torch.full(
                (len(problem.x),), max_steps
            )
    passed = info["rel_trace"][:, 1:] <= tol  # its first entry is a placeholder
    return passed.any(dim=1), passed.int().argmax(dim=1) + 1 + before


# ------------------------------------------------------------------------------------------------------ measurements


def seconds(run: Callable[[], object], device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    begin = time.perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def overheads(device: str, repeats: int) -> list[dict]:
    """Seconds per evaluation beyond G, in a solve that never reaches its tol (both sides do their stop tests)."""
    rows = []
    for batch, n in SIZES:
        slopes = torch.linspace(0, 0.9999, n, device=device)
        x = torch.randn(batch, n, generator=torch.Generator().manual_seed(0)).to(device)
        problem = Problem(
            f"{batch} x {n}",
            lambda y, x, slopes=slopes: torch.addcmul(x, slopes, y),
            x,
            2e-7,
            EVALUATIONS,
        )

        def bare(problem=problem):
            y = torch.zeros_like(problem.x)
            with torch.no_grad():
                for _ in range(EVALUATIONS):
                    y = problem.G(y, problem.x)

        for name in ("Picard", "Anderson", "Broyden"):
            runs = (
                bare,
                lambda: solve_ours(name, problem, EVALUATIONS, problem.tol),
                lambda: solve_theirs(name, problem, EVALUATIONS, problem.tol),
            )
            times = [[seconds(run, device) for run in runs] for _ in range(repeats + 2)][
                2:
            ]  # side by side, warmed up
            g, ours, theirs = (statistics.median(column) for column in zip(*times, strict=True))
            ours, theirs = (ours - g) / EVALUATIONS, (theirs - g) / EVALUATIONS
            rows.append(
                dict(
                    device=device,
                    size=problem.name,
                    method=name,
                    ours=ours,
                    torchdeq=theirs,
                    ratio=ours / theirs,
                )
            )
    return rows


def successes(device: str) -> list[dict]:
    rows = []
    for problem in problems(device):
        for name, peer in (
            ("Picard", "Picard"),
            ("Anderson", "Anderson"),
            ("Anderson", "Anderson, lam=0"),
            ("Broyden", "Broyden"),
            ("NewtonKrylov", None),
        ):
            row = dict(device=device, problem=problem.name, method=name, torchdeq=peer)
            for side, run, which in (("ours", solve_ours, name), ("torchdeq", solve_theirs, peer)):
                row[f"{side}_solved"] = row[f"{side}_evaluations"] = None
                if which is not None:
                    solved, evaluations = run(which, problem, problem.max_steps, problem.tol)
                    row[f"{side}_solved"] = solved.double().mean().item()
                    row[f"{side}_evaluations"] = (
                        evaluations[solved].double().median().item() if bool(solved.any()) else None
                    )
            rows.append(row)
    return rows


def show(title: str, rows: list[dict]) -> None:
    def text(value) -> str:
        if value is None:
            return "-"
        return f"{value:.3g}" if isinstance(value, float) else str(value)

    cells = [list(rows[0]), *[[text(v) for v in row.values()] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    print(f"\n{title}")
    for line in cells:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )


def main() -> None:
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", nargs="+", choices=("cpu", "cuda"), default=devices)
    parser.add_argument(
        "--repeats",
        type=int,
        default=9,
        help="timed runs of each solver, side by side; medians are reported",
    )
    settings = parser.parse_args()
    torch.set_num_threads(1)
    timed = [row for device in settings.device for row in overheads(device, settings.repeats)]
    show(
        f"Seconds per evaluation beyond G (float32, history {HISTORY}, {EVALUATIONS} evaluations)",
        timed,
    )
    solved = [row for device in settings.device for row in successes(device)]
    show(
        "Fraction of samples solved to 1e-8 and median evaluations of those (float64; NewtonKrylov's count its jvps)",
        solved,
    )
    ratio = math.exp(statistics.fmean(math.log(row["ratio"]) for row in timed))
    fewer = [
        f"{row['problem']}: {row['torchdeq']}"
        for row in solved
        if row["ours_solved"] < (row["torchdeq_solved"] or 0)
    ]
    print(
        f"\noverhead over torchdeq's: {ratio:.2f} (geometric mean), worst {max(row['ratio'] for row in timed):.2f}, aim {OVERHEAD_AIM}"
    )
    print(f"problems of which torchdeq solves more: {', '.join(fewer) if fewer else 'none'}")
    RESULTS.parent.mkdir(exist_ok=True)
    summary = dict(
        overhead_ratio=ratio,
        worst_ratio=max(row["ratio"] for row in timed),
        aim=OVERHEAD_AIM,
        fewer_solved=fewer,
    )
    versions = dict(
        python=platform.python_version(),
        torch=torch.__version__,
        torchdeq=importlib.metadata.version("torchdeq"),
        equilibria=eq.__version__,
    )
    RESULTS.write_text(
        json.dumps(
            dict(summary=summary, overhead=timed, problems=solved, versions=versions), indent=1
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
