"""Losses and trainings, on a tenth of the data and less."""

import pytest
import torch
from equilibria import checkpoints
from equilibria.operators.lp_graph import ExplicitGNN, ImplicitGNN, graph
from equilibria.studies import linear_programs as study


def test_the_implicit_loss_is_what_its_module_says(programs):
    torch.manual_seed(0)
    model, x, label = ImplicitGNN(4), graph(programs), programs.y.float()
    value = study.implicit_loss(model, x, label, torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(1)
    y = x.l + (x.u - x.l) * torch.rand(20, 50, generator=generator)
    y = y * (torch.rand(20, 1, generator=generator) < 0.5)
    free_steps = int(torch.randint(17, (), generator=generator))
    q = model.encode(x)
    states = [y]
    for _ in range(free_steps + 4):
        states.append(model(states[-1], q))
    errors = [study.relative_error(y, label).mean() for y in states[-4:]]
    move = (states[-1] - states[-2]).norm(dim=1) / (label.norm(dim=1) + 1)
    torch.testing.assert_close(value, torch.stack(errors).mean() + move.mean())
    value.backward()
    for weight in model.parameters():
        assert weight.grad is not None
        assert torch.isfinite(weight.grad).all()


def test_the_unrolled_loss_is_the_error_of_the_last_iterate(programs, halfway):
    x, label = graph(programs, dtype=torch.float64), programs.y
    value = study.unrolled_loss(halfway, x, label, depth=3)
    torch.testing.assert_close(value, study.relative_error(0.875 * x.u, label).mean())


@pytest.mark.parametrize("profile", ["quick", "paper"])
def test_every_model_can_be_made_by_its_name(profile):
    for name in study.names(profile):
        model = study.new(name, profile=profile, seed=0)
        kind, width = name.split("-")
        assert isinstance(model, ExplicitGNN if kind == "explicit" else ImplicitGNN)
        assert model.width == int(width)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"name must be one of explicit-4, .*, got 'implicit-5'"):
        study.new("implicit-5")


def test_a_quick_training_writes_a_checkpoint_that_loads(few_programs):
    for name in ("implicit-4", "explicit-4", "unrolled-8"):
        outcome = study.train(name, profile="quick", seed=2, device="cpu")
        assert outcome.finished
        assert outcome.step == 40
        assert 0 < outcome.metrics["validation_error"] < 1
    model, card = study.load("implicit-4", seed=2, profile="quick")
    assert card["programs"] == {"training": 12, "validation": 6}
    _, held_out = study.data("quick", progress=False)
    measured = study.along_t(model, held_out, steps=64)["mean"][-1]
    assert measured == pytest.approx(card["metrics"]["validation_error"], rel=1e-5)
    assert study.seeds("implicit-4", profile="quick") == [2]
    assert study.seeds("implicit-8", profile="quick") == []
    with pytest.raises(checkpoints.CheckpointError, match=r"implicit-4-seed5\.json"):
        study.load("implicit-4", seed=5, profile="quick")
