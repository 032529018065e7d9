"""What notebook 05 measures of parity and sums: from records, and of the shipped models."""

import pytest
from equilibria.files import DataError
from equilibria.studies import language
from equilibria.studies.language import measurements, reasoning

LENGTHS = (4, 8, 16, 24, 32, 48, 64)


def record(seed, *, explicit=False):
    """A record whose share of right answers is t / 1000 + seed / 10 000."""
    along_t = []
    for n in LENGTHS:
        times = [1] if explicit else [1, n // 4, n, 2 * n, 8 * n]
        last = [t / 1000 + seed / 10_000 for t in times]
        along_t.append({"length": n, "t": times, "last": last, "all": last, "loops": n + seed})
    settled = {"length": 64, "radius": [0.5], "norm": [2.0 + seed], "rate": [0.5], "residual": [0]}
    return {"seed": seed, "parameters": 7, "along_t": along_t} | (
        {} if explicit else {"at_rest": settled}
    )


def test_the_claims_read_each_seed_at_the_right_loops():
    once = [record(0, explicit=True), record(2, explicit=True)]
    found = reasoning.recorded(
        {
            "parity": [record(0), record(2)],
            "parity-once": once,
            "parity-stack": once[:1],
            "sums": [record(1)],
        }
    )
    parity = found["targets"]["parity"]
    assert parity["enough"] == pytest.approx([0.032, 0.0322, 0.064, 0.0642, 0.128, 0.1282])
    assert parity["quarter"] == pytest.approx([0.004, 0.0042, 0.008, 0.0082, 0.016, 0.0162])
    assert parity["change"] == pytest.approx([0.096] * 2 + [0.192] * 2 + [0.384] * 2)
    assert found["targets"]["once_16"] == pytest.approx([0.001, 0.0012])
    assert len(found["targets"]["once_beyond"]) == 4
    assert found["targets"]["sums_16"] == pytest.approx([0.0321])
    assert found["targets"]["sums_far"] == pytest.approx([0.1281])
    assert found["loops_by_seed"] == [list(LENGTHS), [n + 2 for n in LENGTHS]]
    assert found["explicit"]["lengths"][2] == 16
    assert found["explicit"]["loop"]["right"][2] == pytest.approx([0.032, 0.0322])
    assert found["explicit"]["stack"]["right"][2] == pytest.approx([0.001])
    assert [(row["seed"], row["norm"]) for row in found["at_rest"]] == [(0, [2.0]), (2, [4.0])]
    assert found["along_t"]["sums"]["chance"] == 0.2


def test_a_record_from_before_loops_were_asked_whether_they_rest_is_named():
    with pytest.raises(DataError, match="record of parity seed 3 has no at_rest: delete it"):
        reasoning.recorded({"parity": [record(3, explicit=True)]})


@pytest.mark.end_to_end
def test_the_shipped_loop_is_as_steep_as_parity_and_broken_loops_lose():
    found = language.measure_flips(2, seed=3)
    assert found["flips"][16]["target_worst"] == 16
    assert found["flips_end"] == pytest.approx({16: 1.0, 32: 1.0}, rel=0.05)
    assert found["flips"][32]["worst"][0] < 16
    broken = language.measure_broken(seed=3)
    assert broken["trained"]["loop"] > 0.98
    assert broken["trained"]["no_norm"] < 0.7
    assert broken["broken"]["once"][-1] < 0.7
    assert broken["broken"]["t"][-1] == 2 * broken["broken"]["length"]


def test_the_first_shipped_model_is_asked(monkeypatch):
    asked = []
    monkeypatch.setattr(measurements, "seeds", lambda name: [3, 5])

    def load(name, *, seed):
        asked.append((name, seed))
        return language.new(name), {}

    monkeypatch.setattr(measurements, "load", load)
    language.first_shipped("parity")
    assert asked == [("parity", 3)]
