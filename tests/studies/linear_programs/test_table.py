"""All seeds of one model taken together, by hand."""

import json

import pytest
import torch
from equilibria.files import DataError
from equilibria.studies import linear_programs as study


def curves(mean):
    return {"mean": mean, "std": [0.2] * len(mean), "violation": mean, "gap": mean}


def write(name, seed, train_error, **errors):
    """A record and the card that it belongs to."""
    record = {"name": name, "seed": seed, "parameters": 7, **errors}
    stem = study.RECORDS.stem(name, seed=seed)
    (stem.parent / "test").mkdir(parents=True, exist_ok=True)
    (stem.parent / "test" / f"{stem.name}.json").write_text(json.dumps(record))
    card = {"name": name, "sha256": "", "metrics": {"train_error": train_error}}
    stem.with_name(f"{stem.name}.json").write_text(json.dumps(card))


def test_a_row_averages_over_programs_and_seeds(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    write("implicit-4", 0, 0.2, errors_8=[0.5, 0.5], errors_64=[0.2, 0.4])
    write("implicit-4", 1, 0.4, errors_8=[0.5, 0.3], errors_64=[0.3, 0.5])
    row = study.table_row("implicit-4")
    assert row["test"] == pytest.approx(0.35)
    assert row["at_8"] == pytest.approx(0.45)
    assert row["spread"] == pytest.approx(0.1 / 2**0.5)
    assert row["train"] == pytest.approx(0.3)
    assert row["instances_std"] == pytest.approx(0.2 / 2**0.5)
    assert (row["seeds"], row["parameters"]) == (2, 7)


def test_a_single_seed_has_no_spread_and_an_explicit_model_no_t(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    write("explicit-4", 0, 0.2, errors=[0.5, 0.3])
    row = study.table_row("explicit-4")
    assert row["test"] == pytest.approx(0.4)
    assert row["spread"] is None
    assert row["at_8"] is None


def test_a_model_without_a_record_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    with pytest.raises(DataError, match="explicit-4 has no record: run `equilibria evaluate"):
        study.table_row("explicit-4")


def test_curves_are_averaged_over_the_seeds():
    runs = study.AllSeeds([curves([0.5, 0.25, 0.3]), curves([0.5, 0.4, 0.4])], seconds=1.0)
    assert runs.mean_at_last("gap") == pytest.approx(0.35)
    torch.testing.assert_close(runs.mean_curves()["mean"], torch.tensor([0.5, 0.325, 0.35]))


def test_every_shipped_seed_is_measured(programs):
    runs = study.all_seeds_along_t("explicit-4", programs, steps=1)
    assert len(runs.curves) == len(study.seeds("explicit-4"))


def test_a_model_without_a_training_is_refused(programs, tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="name must be a model that has been trained"):
        study.all_seeds_along_t("explicit-4", programs, steps=1)
