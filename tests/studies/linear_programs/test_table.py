"""All seeds of one model taken together, by hand."""

import pytest
import torch
from equilibria.studies import linear_programs as study


def curves(mean):
    return {"mean": mean, "std": [0.2] * len(mean), "violation": mean, "gap": mean}


def card(train_error):
    return {"metrics": {"train_error": train_error}, "parameters": 7}


def test_a_row_averages_the_last_iteration_over_the_seeds():
    runs = study.AllSeeds(
        curves=[curves([0.5, 0.25, 0.3]), curves([0.5, 0.4, 0.4])],
        cards=[card(0.2), card(0.4)],
        seconds=1.0,
    )
    row = runs.table_row()
    assert row["test"].item() == pytest.approx(0.35)
    assert row["spread"].item() == pytest.approx(0.1 / 2**0.5)
    assert row["train"].item() == pytest.approx(0.3)
    assert row["instances_std"].item() == pytest.approx(0.2)
    assert row["worst_of_best"] == pytest.approx(0.3 / 0.25)
    assert (row["seeds"], row["parameters"]) == (2, 7)
    assert runs.mean_at_last("gap") == pytest.approx(0.35)
    torch.testing.assert_close(runs.mean_curves()["mean"], torch.tensor([0.5, 0.325, 0.35]))


def test_a_single_seed_has_no_spread():
    runs = study.AllSeeds([curves([0.5])], [card(0.2)], seconds=1.0)
    assert runs.table_row()["spread"] is None


def test_every_shipped_seed_is_measured(programs):
    runs = study.all_seeds_along_t("explicit-4", programs, steps=1)
    assert len(runs.curves) == len(runs.cards) == len(study.seeds("explicit-4"))


def test_a_model_without_a_training_is_refused(programs, tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="name must be a model that has been trained"):
        study.all_seeds_along_t("explicit-4", programs, steps=1)
