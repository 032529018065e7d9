"""The case study's own measurements, on models whose answers are known, and its trainings on a tenth of the data."""

from dataclasses import replace

import pytest
import torch
from equilibria import checkpoints
from equilibria.operators.lp_graph import Graph, ImplicitGNN, graph
from equilibria.problems import linear_programs
from equilibria.studies import linear_programs as experiment
from torch import nn


@pytest.fixture(scope="module")
def programs():
    return linear_programs.generate(20, seed=9, progress=False)


class Halfway(nn.Module):
    """G(y, x) = y + (u - y) / 2: y_t = (1 - 2^-t) u, known at every t."""

    def encode(self, x: Graph):
        return x

    def forward(self, y, x):
        return y + 0.5 * (x.u - y)


def test_errors_violations_and_gaps_along_t(programs):
    measured = experiment.along_t(Halfway(), programs, steps=3, dtype=torch.float64)
    for t in (1, 2, 3):
        y = (1 - 0.5**t) * programs.u
        error = (y - programs.y).norm(dim=1) / (programs.y.norm(dim=1) + 1)
        slack = (programs.dense() @ y[..., None])[..., 0] - programs.b
        slack = torch.where(programs.equality, slack.abs(), slack.clamp(min=0)).norm(
            dim=1
        ) / programs.y.norm(dim=1)
        gap = (programs.c * y).sum(1).sub(
            programs.objective
        ).abs().mean() / programs.objective.abs().mean()
        assert measured["mean"][t - 1] == pytest.approx(error.mean().item(), rel=1e-10)
        assert measured["std"][t - 1] == pytest.approx(error.std().item(), rel=1e-10)
        assert measured["violation"][t - 1] == pytest.approx(slack.mean().item(), rel=1e-10)
        assert measured["gap"][t - 1] == pytest.approx(gap.item(), rel=1e-9)


def test_ratios_and_errors_on_perturbed_programs(programs):
    moved = linear_programs.perturb(programs, "u", norm=1e-4, seed=0)
    measured = experiment.perturbed_along_t(Halfway(), programs, moved, norm=1e-4, steps=3)
    assert measured["ratio"] == pytest.approx(
        [0.5, 0.75, 0.875], rel=1e-8
    )  # |dy_t| / |du| = 1 - 2^-t
    assert measured["median"] == pytest.approx([0.5, 0.75, 0.875], rel=1e-8)
    still = linear_programs.perturb(programs, "c", norm=1e-4, seed=0)
    assert experiment.perturbed_along_t(Halfway(), programs, still, norm=1e-4, steps=2)[
        "ratio"
    ] == [0.0, 0.0]
    relabelled = replace(moved, y=0.5 * moved.u)
    assert experiment.perturbed_along_t(Halfway(), programs, relabelled, norm=1e-4, steps=1)[
        "error"
    ] == pytest.approx([0.0], abs=1e-12)


def test_the_loss_is_what_its_header_says(programs):
    torch.manual_seed(0)
    model, x, label = ImplicitGNN(4), graph(programs), programs.y.float()
    value = experiment.implicit_loss(model, x, label, torch.Generator().manual_seed(1))
    g = torch.Generator().manual_seed(1)
    y = x.l + (x.u - x.l) * torch.rand(20, 50, generator=g)
    y = y * (torch.rand(20, 1, generator=g) < 0.5)
    free = int(torch.randint(17, (), generator=g))
    path = [y]
    for _ in range(free + 4):
        path.append(model(path[-1], x))
    errors = torch.stack([experiment.relative_error(y, label).mean() for y in path[-4:]]).mean()
    moved = ((path[-1] - path[-2]).norm(dim=1) / (label.norm(dim=1) + 1)).mean()
    torch.testing.assert_close(value, errors + moved)
    value.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_a_quick_training_writes_a_checkpoint_that_loads(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    monkeypatch.setattr(experiment, "_SIZES", {"quick": (12, 6)})
    for name in ("implicit-4", "explicit-4", "unrolled-8"):
        outcome = experiment.train(name, profile="quick", seed=2, device="cpu")
        assert outcome.finished and outcome.step == 40 and 0 < outcome.metrics["test_error"] < 1
    model, card = experiment.load("implicit-4", seed=2, profile="quick")
    test = experiment.data("quick", progress=False)[1]
    assert experiment.along_t(model, test, steps=64)["mean"][-1] == pytest.approx(
        card["metrics"]["test_error"], rel=1e-5
    )
    assert (
        experiment.seeds("implicit-4", profile="quick") == [2]
        and experiment.seeds("implicit-8", profile="quick") == []
    )
    with pytest.raises(checkpoints.CheckpointError, match="implicit-4-seed5.json"):
        experiment.load("implicit-4", seed=5, profile="quick")


@pytest.mark.parametrize("name", experiment.names("paper"))
def test_every_shipped_checkpoint_loads_and_is_of_the_papers_size(name):
    assert experiment.seeds(name), f"{name} is not shipped"
    for seed in experiment.seeds(name):
        _, card = experiment.load(name, seed=seed)
        assert card["name"] == name and card["seed"] == seed and card["programs"] == [2500, 1000]


@pytest.mark.parametrize("width", experiment.WIDTHS)
def test_the_shipped_equilibria_are_real(width):
    """Far beyond the depth of training the error is what it was, from any start; most programs end in one point to the last
    digit. (The others cycle around it or have a second one: DEVIATIONS.md says how many.)"""
    model, _ = experiment.load(f"implicit-{width}", seed=0)
    model, programs = model.double(), linear_programs.generate(40, seed=17, progress=False)
    x = graph(programs, dtype=torch.float64)
    anywhere = torch.rand(40, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    encoded, starts = model.encode(x), (torch.zeros_like(x.l), x.l + (x.u - x.l) * anywhere)
    errors, ends = [], []
    with torch.no_grad():
        for y in starts:
            for t in range(200):
                y = model(y, encoded)
                if t in (31, 199):
                    errors.append(experiment.relative_error(y, programs.y).mean().item())
            ends.append(y)
    assert errors[1] <= 1.02 * errors[0] and errors[3] <= 1.02 * errors[2]
    apart = (ends[0] - ends[1]).norm(dim=1) / ends[0].norm(dim=1)
    assert apart.median() < 1e-8 and errors[3] == pytest.approx(errors[1], rel=0.05)


def test_plain_unrolling_has_no_equilibrium():
    """Broken on purpose: the trap of plain unrolling is seen by the same measurement."""
    model, _ = experiment.load("unrolled-8", seed=0)
    curve = experiment.along_t(
        model, linear_programs.generate(60, seed=17, progress=False), steps=64
    )["mean"]
    assert curve[-1] > 1.02 * min(curve)
