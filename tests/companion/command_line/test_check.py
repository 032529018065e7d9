"""`equilibria check`: exit codes follow the record, and the pages are written."""

import json

import pytest
import yaml
from equilibria.companion.command_line import main
from equilibria.companion.provenance import origin

CLAIM = {
    "id": "a",
    "claim": "The error is small",
    "summary": "Error",
    "places": ["Table 1"],
    "notebook": "01_first",
    "not_run": {"paper": "no machine"},
    "checks": [
        {
            "id": "error",
            "says": "the error",
            "key": "error",
            "predicate": {"at_most": 0.2},
            "bound_from": "published",
        }
    ],
}


@pytest.fixture
def measured(sample):
    (sample.root / "claims.yml").write_text(yaml.safe_dump({"paper": [CLAIM]}))
    folder = sample.root / "figures/quick/01_first"
    folder.mkdir(parents=True)
    (folder / "provenance.json").write_text(json.dumps(origin("01_first", "quick")))

    def write(value):
        (folder / "results.json").write_text(json.dumps({"error": value}))

    write(0.1)
    return write


def test_check_exits_by_the_record_and_writes_the_pages(sample, measured, capsys):
    page = sample.root / "figures/quick/README.md"
    assert main(["check", "--draft"]) == 1, "the claim is not in the record yet"
    assert main(["check", "--only", "01"]) == 1
    assert not page.exists()
    assert main(["check", "--accept", "the first record"]) == 0
    assert page.exists()
    page.unlink()
    assert main(["check", "--only", "01"]) == 0
    assert not page.exists()
    measured(0.3)
    assert main(["check", "--draft"]) == main(["check", "--only", "01"]) == 1
    assert main(["check", "--only", "02"]) == 0
    capsys.readouterr()
    assert main(["check"]) == 1
    assert "a: reproduced -> not reproduced" in capsys.readouterr().out
    assert not page.exists(), "a page never shows what the record does not bear out"


def test_a_reason_is_needed(measured, capsys):
    assert main(["check", "--accept", " "]) == 2
    assert "needs a reason" in capsys.readouterr().err


def test_a_wrong_claim_is_a_bad_request(sample, capsys):
    (sample.root / "claims.yml").write_text("paper:\n- {id: a}\n")
    assert main(["check"]) == 2
    assert "a: claim: Field required" in capsys.readouterr().err
