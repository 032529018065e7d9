"""`equilibria check`: exit codes follow the verdicts, and the table is written."""

import json

import pytest
import yaml
from equilibria.companion.command_line import main


@pytest.mark.parametrize("value, code", [(0.1, 0), (0.3, 1)])
def test_check_exits_by_the_verdicts_and_writes_the_table(sample, capsys, value, code):
    claim = {
        "id": "a",
        "notebook": "01_first",
        "paper": "Table 1",
        "claim": "Error",
        "key": "error",
        "predicate": {"at_most": 0.2},
    }
    (sample.root / "claims.yml").write_text(yaml.safe_dump([claim]))
    folder = sample.root / "figures/quick/01_first"
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps({"error": value}))
    (folder / "provenance.json").write_text("{}")
    assert main(["check", "--draft"]) == code
    assert main(["check", "--only", "01"]) == code
    assert not (sample.root / "figures/quick/README.md").exists()
    assert main(["check", "--only", "02"]) == 0
    assert main(["check", "--profile", "paper", "--draft"]) == 1
    capsys.readouterr()
    assert main(["check"]) == code
    assert ("1 hold" if code == 0 else "1 fail") in capsys.readouterr().out
    assert (sample.root / "figures/quick/README.md").exists()


def test_a_wrong_claim_row_is_a_bad_request(sample, capsys):
    (sample.root / "claims.yml").write_text("- {id: a}\n")
    assert main(["check"]) == 2
    assert "a: no 'notebook'" in capsys.readouterr().err
