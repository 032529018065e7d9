"""Records of finished models: written once per set of weights, read back, laid side by side."""

import pytest
from equilibria.studies import language
from equilibria.studies.language import reasoning
from equilibria.studies.language.reasoning import records as reasoning_records

pytestmark = pytest.mark.end_to_end


def test_finished_reasoning_models_are_recorded(quick, monkeypatch):
    monkeypatch.setattr(reasoning_records, "LENGTHS", (2, 5))
    monkeypatch.setattr(reasoning_records, "AT_REST", 3)
    for name in ("parity", "parity-once"):
        language.train(name, profile="quick", seed=1, device="cpu")
    assert language.evaluate_all(profile="quick", device="cpu")
    assert language.reports("sums", profile="quick") == []
    (report,) = language.reports("parity", profile="quick")
    model, card = language.load("parity", seed=1, profile="quick")
    assert report["sha256"] == card["sha256"]
    short, long = report["along_t"]
    assert (short["length"], long["length"]) == (2, 5)
    assert long["t"] == [*range(1, 11), 20, 40]
    asked = reasoning.test_questions("parity", report["questions"], 5)
    again = reasoning.accuracy_along_t(model, asked, long["t"])
    assert long["last"] == pytest.approx(again["last"], abs=1e-5)
    assert long["all"] == pytest.approx(again["all"], abs=1e-5)
    assert long["loops"] == reasoning.lasting(long["t"], again["last"])
    assert report["at_rest"]["length"] == 5
    for key in ("radius", "norm", "rate", "residual"):
        assert len(report["at_rest"][key]) == reasoning_records.AT_REST
    (explicit,) = language.reports("parity-once", profile="quick")
    assert explicit["along_t"][0]["t"] == [1]
    assert "at_rest" not in explicit

    curves = reasoning.right_along_t([report] * 2)
    assert curves["lengths"] == [2, 5]
    assert curves["seeds"] == [1, 1]
    assert curves["t"][5] == long["t"]
    assert curves["loops"][5] == [long["loops"]] * 2
    assert curves["right"][5] == [[value] * 2 for value in long["last"]]
    assert reasoning.right_at(curves, 5, 20) == [long["last"][10]] * 2


def test_a_record_is_written_once_per_set_of_weights(quick, monkeypatch, capsys):
    monkeypatch.setattr(reasoning_records, "LENGTHS", (2,))
    language.train("parity", profile="quick", seed=1, device="cpu")
    assert not language.evaluate_all(profile="quick", minutes=1e-9, device="cpu")
    assert language.reports("parity", profile="quick") == []
    assert language.evaluate_all(profile="quick", device="cpu")
    capsys.readouterr()
    assert language.evaluate_all(profile="quick", device="cpu")
    assert capsys.readouterr().out == ""  # nothing is evaluated twice
    record = language.RECORDS.folder("quick") / "test" / "parity-seed1.json"
    before = record.read_text()
    sha256 = language.reports("parity", profile="quick")[0]["sha256"]
    record.write_text(before.replace(sha256, "of other weights"))
    assert language.evaluate_all(profile="quick", device="cpu")
    assert record.read_text() == before


@pytest.mark.parametrize("name", language.names("paper"))
def test_records_are_of_the_shipped_weights(name):
    shipped = {}
    for seed in language.seeds(name):
        if language.RECORDS.stem(name, seed=seed).with_suffix(".safetensors").exists():
            shipped[seed] = language.load(name, seed=seed)[1]["sha256"]
    reports = language.reports(name)
    recorded = {report["seed"]: report["sha256"] for report in reports}
    assert recorded
    assert shipped.items() <= recorded.items()
    parameters = sum(p.numel() for p in language.new(name).parameters())
    for report in reports:
        assert report["metrics"]
        assert report["parameters"] == parameters
