"""What the shipped weights do: real equilibria, a trap that falls, and records that are theirs."""

import pytest
import torch
from equilibria.operators.blur import Blur
from equilibria.problems import images
from equilibria.studies import deblurring as study

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def held_out():
    truth = images.crops(list(images.embedded().values())[:2], size=64, seed=5)
    generator = torch.Generator().manual_seed(5)
    return truth, images.measure(truth, Blur(study.kernel("quick")), generator=generator)


@pytest.mark.parametrize("name", ["pgd", "hqs"])
def test_shipped_equilibria_are_real(held_out, name):
    truth, x = held_out
    model = study.load(name)[0]
    from_x = study.psnr_along_t(model, truth, x, steps=300, start=x).mean(1)
    assert abs(from_x[299] - from_x[99]) < 0.1
    assert from_x[299] > from_x.max() - 0.3
    from_zero = study.psnr_along_t(model, truth, x, steps=200).mean(1)
    assert abs(from_zero[199] - from_x[299]) < 0.02  # path independence
    explicit = images.psnr(study.answer(study.load("explicit")[0], x), truth).mean()
    assert from_x[299] > explicit + 0.5
    assert explicit + 0.5 > images.psnr(x, truth).mean() + 3


def test_the_trap_falls(held_out):
    truth, x = held_out
    model = study.load("unrolled-pgd")[0]
    curve = study.psnr_along_t(model, truth, x, steps=300, start=x).mean(1)
    assert curve[9] > images.psnr(x, truth).mean() + 3
    assert not curve[299] > curve[9] - 1  # a NaN has fallen, too


@pytest.mark.parametrize("name", ["explicit", "pgd", "hqs"])
def test_records_are_of_the_shipped_weights(name):
    recorded = {row["seed"]: row["sha256"] for row in study.reports(name)}
    assert len(recorded) == 3
    seeds = study.seeds(name)
    assert seeds
    for seed in seeds:
        assert recorded[seed] == study.load(name, seed=seed)[1]["sha256"]


@pytest.mark.data
@pytest.mark.parametrize("name", ["explicit", "hqs"])
def test_recorded_results_come_again(name):
    (record,) = (row for row in study.reports(name) if row["seed"] == 0)
    again = study.evaluate(name, seed=0, count=2)["psnr"]
    assert again == pytest.approx(record["psnr"][:2], abs=0.01)
    assert record["profile"] == "quick"
    assert record["parameters"] == study.load(name)[1]["parameters"]
