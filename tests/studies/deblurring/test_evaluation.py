"""Records of finished models: complete, of the right weights, made once; and their summaries."""

import pytest
import torch
from equilibria.studies import deblurring as study

pytestmark = pytest.mark.end_to_end

RECORDED = ("explicit", "pgd", "hqs", "unfolded-1", "unfolded-8")


def test_every_model_trains_and_is_evaluated(small, capsys):
    for name in study.names("quick"):
        study.train(name, profile="quick")
    assert study.evaluate_all(profile="quick")
    for name in RECORDED:
        (record,) = study.reports(name)
        assert len(record["psnr"]) == 4
        assert record["sha256"] == study.load(name)[1]["sha256"]
        implicit = name in ("pgd", "hqs")
        assert ("late" in record) == implicit
        assert len(record.get("success", [])) == (4 if implicit else 0)
        again = study.evaluate(name, seed=0, count=2)["psnr"]
        assert record["psnr"][:2] == pytest.approx(again, abs=1e-3)
    assert study.reports("unrolled-pgd") == study.reports("denoiser") == []
    capsys.readouterr()
    assert study.evaluate_all(profile="quick")
    assert capsys.readouterr().out == ""  # nothing is evaluated twice
    difference = study.recomputed_difference(
        "explicit", seed=0, profile="quick", device="cpu", count=3
    )
    assert difference < 1e-3


def test_evaluation_stops_at_the_time_limit(small):
    study.train("denoiser", profile="quick")
    study.train("explicit", profile="quick")
    assert not study.evaluate_all(profile="quick", minutes=-1.0)
    assert study.reports("explicit") == []


def test_the_summary_of_several_seeds():
    records = [
        {"psnr": [20.0, 30.0], "ssim": [0.5, 0.7], "parameters": 7},
        {"psnr": [22.0, 32.0], "ssim": [0.5, 0.7], "parameters": 7},
    ]
    row = study.summary(records, published=26.0)
    assert row["psnr"] == 26
    assert row["spread"].item() == pytest.approx(2**0.5)  # of the means 25 and 27
    assert row["std"].item() == pytest.approx(50**0.5)
    assert row["ssim"].item() == pytest.approx(0.6)
    assert (row["seeds"], row["parameters"], row["published"]) == (2, 7, 26.0)
    assert row["success"] is None
    assert "late_change" not in row


def test_the_summary_of_an_implicit_model():
    record = {"psnr": [20.0, 30.0, 25.0], "ssim": [0.5, 0.6, 0.7], "parameters": 7}
    record |= {"success": [True, False, True], "late": [20.5, 29.0]}
    row = study.summary([record], published=26.0)
    assert row["spread"] is None
    assert row["success"].item() == pytest.approx(2 / 3)
    assert row["late_crops"] == 2
    assert torch.equal(row["late_change"], torch.tensor(-0.25))
    assert torch.equal(row["late_worst"], torch.tensor(-1.0))
