"""The map of the paper: every place of it, from claims and results alone."""

import json
import re

import pytest
import yaml
from equilibria.companion import claims
from equilibria.companion.claims import pages
from equilibria.companion.parameters import find_notebook

CHECK = {"id": "error", "says": "the error", "key": "error", "bound_from": "published"}
BOTH = {"quick": "no time", "paper": "no time"}


@pytest.fixture
def mapped(sample):
    """Verdicts of a small project: one claim that misses, one that nobody ran, one of ours."""
    measured = {
        "id": "small-error",
        "claim": "The error |y| is small",
        "places": ["Table 10", "Section 2", "Fig. 1", "Table 2"],
        "notebook": "01_first",
        "section": "The experiment",
        "figure": "errors",
        "checks": [CHECK | {"predicate": {"at_most": 0.1}}],
    }
    not_run = {"id": "steep", "claim": "It is steep", "places": ["Fig. 1", "Theorem 2.4"]}
    rows = {
        "paper": [measured, not_run | {"notebook": "02_second", "not_run": BOTH}],
        "project": [measured | {"id": "ours", "places": ["Beyond the paper"]}],
    }
    (sample.root / "claims.yml").write_text(yaml.safe_dump(rows))
    folder = sample.root / "figures/quick/01_first"
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps({"error": 0.2}))
    (folder / "provenance.json").write_text(json.dumps({"wall_time": 41.3}))
    return claims.judge_all("quick")


def cells(row):
    return [cell.strip() for cell in row.strip("|").split(" | ")]


def test_places_stand_in_the_order_of_the_paper_and_none_of_ours_is_among_them(mapped):
    names = [place.name for place in claims.places(mapped)]
    assert names == ["Theorem 2.4", "Fig. 1", "Table 2", "Table 10", "Section 2"]


def test_a_row_says_where_what_how_again_and_how_long(mapped):
    (row,) = [line for line in claims.long_map(mapped, "quick").splitlines() if "Section 2" in line]
    assert cells(row) == [
        "Section 2",
        r"The error \|y\| is small",
        "[The experiment](notebooks/01_first.ipynb#The-experiment)",
        "[errors](figures/quick/01_first/errors.png)",
        "not reproduced",
        "`make reproduce ONLY=01`",
        "41 s",
    ]


def test_what_was_not_run_has_no_command_and_no_time(mapped):
    table = claims.long_map(mapped, "quick")
    (row,) = [line for line in table.splitlines() if line.startswith("| Theorem 2.4")]
    assert cells(row)[3:] == ["", "not run", "", ""]


def test_the_readme_gets_the_short_map_where_it_has_a_place_for_it(mapped, sample):
    path = sample.root / "README.md"
    pages.write_pages(mapped, "quick")
    assert "Theorem 2.4" not in path.read_text()
    path.write_text(f"{path.read_text()}{pages.MAP_BEGIN}\nold\n{pages.MAP_END}\nlast\n")
    pages.write_pages(mapped, "quick")
    text = path.read_text()
    table = text.partition(pages.MAP_BEGIN)[2].partition(pages.MAP_END)[0]
    assert text.startswith("before\n") and text.endswith(f"{pages.MAP_END}\nlast\n")
    assert "old" not in text and "| Section 2 " not in table
    (row,) = [line for line in table.splitlines() if line.startswith("| Fig. 1")]
    assert cells(row)[2:] == ["not reproduced, not run", "`make reproduce ONLY=01` (41 s)"]
    path.write_text(text.replace(pages.MAP_END, ""))
    with pytest.raises(claims.ClaimsError, match="lost the line that ends the map"):
        pages.write_pages(mapped, "quick")


def test_every_theorem_figure_and_table_of_the_paper_is_on_the_map():
    wanted = ["Definition 2.3", "Theorem 2.4", "Theorem 2.5"]
    wanted += [f"Fig. {number}" for number in range(1, 10)]
    wanted += [f"Table {number}" for number in range(1, 6)]
    found = [place.name for place in claims.places(claims.judge_all("quick"))]
    assert found[: len(wanted)] == wanted


@pytest.mark.parametrize("claim", claims.load(), ids=lambda claim: claim.id)
def test_the_section_of_a_claim_is_a_heading_of_its_notebook(claim):
    cells = json.loads(find_notebook(claim.notebook).read_text())["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    headings = re.findall(r"^#+ (.+)$", "\n".join(texts), re.MULTILINE)
    assert claim.section is None or claim.section in headings
