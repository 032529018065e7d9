"""Claims as a file, their verdicts, the frozen record and the pages, on a small project."""

import json
import re

import pytest
import torch
import yaml
from equilibria import checkpoints
from equilibria.companion import claims
from equilibria.companion.claims import ClaimsError, record
from equilibria.companion.claims.evidence import look_up
from equilibria.companion.claims.model import SUMMARY_ROWS
from equilibria.companion.claims.values import NoEvidence
from equilibria.companion.provenance import origin

CHECK = {
    "id": "error",
    "says": "the error",
    "key": "table.8.test",
    "predicate": {"at_most": 0.18},
    "bound_from": "published",
}
SECOND = CHECK | {"id": "slope", "key": "slope", "predicate": {"at_least": 5}}
CLAIM = {
    "id": "first-error",
    "claim": "The error is small",
    "summary": "Small error",
    "places": ["Table 1"],
    "notebook": "01_first",
    "published": {"error": 0.177},
    "checks": [CHECK, SECOND],
}
GOOD = {"table": {"8": {"test": 0.17}}, "slope": 6}


@pytest.fixture
def write(sample):
    """Write claims.yml: changes of the one claim, one entry each."""

    def written(*changes, project=()):
        rows = {"paper": [CLAIM | change for change in changes], "project": list(project)}
        (sample.root / "claims.yml").write_text(yaml.safe_dump(rows))

    written({})
    return written


@pytest.fixture
def measured(sample):
    """Write the results of a run."""

    def written(data, *, finished=True, profile="quick"):
        folder = sample.root / "figures" / profile / "01_first"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "results.json").write_text(data if isinstance(data, str) else json.dumps(data))
        provenance = folder / "provenance.json"
        provenance.unlink(missing_ok=True)
        if finished:
            provenance.write_text(json.dumps(origin("01_first", profile)))

    written(GOOD)
    return written


def verdict(profile="quick"):
    (found,) = claims.judge_all(profile)
    return found


# ------------------------------------------------------------------------------- verdicts
@pytest.mark.parametrize(
    ("test", "slope", "word"),
    [
        (0.17, 6, "reproduced"),
        (0.17, 4, "partly"),
        (0.19, 6, "not reproduced"),
        (0.19, 4, "not reproduced"),
    ],
)
def test_the_headline_decides(write, measured, test, slope, word):
    measured({"table": {"8": {"test": test}}, "slope": slope})
    assert verdict().word == word


@pytest.mark.parametrize(
    "data", [{"slope": 6}, "{damaged", {"table": {"8": {"test": "low"}}, "slope": 6}]
)
def test_a_missing_number_reproduces_nothing(write, measured, data):
    measured(data)
    assert verdict().word == "not reproduced"
    assert verdict().missing
    assert claims.check("quick", draft=True) == 1


def test_a_number_that_is_not_finite_misses_and_can_be_recorded(write, measured):
    measured(GOOD | {"slope": None})
    assert verdict().word == "partly" and not verdict().missing
    assert claims.check("quick", accept="the solve failed") == 0


@pytest.mark.parametrize("number", [str(10**400), "-" + "9" * 4000, "1e999"])
def test_a_number_beyond_every_float_misses(write, measured, number):
    measured(json.dumps(GOOD).replace("0.17", number))
    assert verdict().word == "not reproduced" and not verdict().missing


@pytest.mark.parametrize("depth", [400, 100_000])
def test_a_result_that_nests_too_deep_reproduces_nothing(write, measured, depth):
    measured(json.dumps(GOOD).replace("0.17", "[" * depth + "1" + "]" * depth))
    assert verdict().word == "not reproduced"
    assert verdict().missing or depth == 400  # 400 brackets can be counted


def test_an_unfinished_run_is_no_evidence_but_for_its_own_notebook(write, measured):
    measured(GOOD, finished=False)
    assert verdict().word == "not reproduced"
    (claim,) = claims.load()
    assert claims.judge(claim, "quick", unfinished="01_first").word == "reproduced"


@pytest.fixture
def provenance(sample, measured):
    return sample.root / "figures/quick/01_first/provenance.json"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"notebook": "02_second"}, "its run had notebook '02_second'"),
        ({"profile": "paper"}, "its run had profile 'paper'"),
        ({"lock": "0" * 64}, "its run had lock '0000"),
        ({"lock": None}, "its run had lock None"),
        (
            {"weights": {"checkpoints/case/ours-seed0": "0" * 64}},
            "run had other weights",
        ),
        ({"weights": {"checkpoints/case/gone-seed0": "0" * 64}}, "weights .*, which are not there"),
        ({"weights": None}, "does not say which weights"),
        (None, "provenance.json of 01_first is damaged"),
    ],
)
def test_a_run_of_something_else_is_no_evidence(write, provenance, sample, change, says):
    stem = sample.root / "data/checkpoints/case/ours-seed0"
    checkpoints.save(stem, torch.nn.Linear(1, 1), {})
    own = {"weights": {"checkpoints/case/ours-seed0": checkpoints.read_card(stem)["sha256"]}}
    whole = origin("01_first", "quick")
    provenance.write_text(json.dumps(whole | own))
    assert verdict().word == "reproduced"
    provenance.write_text("[1" if change is None else json.dumps(whole | own | change))
    assert verdict().word == "not reproduced"
    assert re.search(says, verdict().missing[0].here)
    assert claims.check("quick", draft=True) == 1


def test_a_run_notes_the_weights_that_it_loads(sample):
    stem = sample.root / "data/checkpoints/case/ours-seed0"
    checkpoints.save(stem, torch.nn.Linear(1, 1), {})
    checkpoints.load(stem, torch.nn.Linear(1, 1))
    found = origin("01_first", "quick")["weights"]
    assert found["checkpoints/case/ours-seed0"] == checkpoints.read_card(stem)["sha256"]


def test_a_record_of_other_weights_is_no_evidence(write, measured, sample):
    stem = sample.root / "data/checkpoints/case/ours-seed0"
    checkpoints.save(stem, torch.nn.Linear(1, 1), {})
    record = sample.root / "data/checkpoints/case/test/ours-seed0.json"
    record.parent.mkdir()
    check = CHECK | {"record": "case/ours", "key": "error"}
    write({"checks": [check]})
    sha256 = checkpoints.read_card(stem)["sha256"]
    for found, word in ((sha256, "reproduced"), ("0" * 64, "not reproduced")):
        record.write_text(json.dumps({"error": 0.1, "sha256": found}))
        assert verdict().word == word
    assert "ours-seed0 was measured of other weights" in verdict().here


def test_a_deviation_never_changes_a_verdict(write, measured):
    measured(GOOD | {"slope": 1, "table": {"8": {"test": 1}}})
    before = verdict().word
    write({"deviation": "first-a-known-miss"})
    assert verdict().word == before == "not reproduced"


def test_not_run_needs_a_reason_and_no_number(write, measured):
    write({"not_run": {"paper": "no machine"}})
    assert verdict("paper").word == "not run"
    assert verdict("quick").word == "reproduced"


def test_records_are_read_by_seed(write, measured, sample):
    folder = sample.root / "data/checkpoints/case/test"
    folder.mkdir(parents=True)
    for name, shift in (("ours", 1.0), ("theirs", 0.0)):
        for seed in (0, 1):
            values = [shift + seed / 100 + i / 10 for i in range(5)]
            (folder / f"{name}-seed{seed}.json").write_text(json.dumps({"psnr": values}))
    check = CHECK | {
        "record": "case/ours",
        "key": "psnr",
        "predicate": {"beats": {"key": "case/theirs:psnr", "by": 0.5}},
    }
    write({"checks": [check]})
    assert verdict().word == "reproduced" and verdict().here.startswith("1 ±")
    check["predicate"] = {"beats": {"key": "case/theirs:psnr", "by": 1.1}}
    write({"checks": [check]})
    assert verdict().word == "not reproduced"
    check["record"] = "case/nobody"
    write({"checks": [check]})
    assert "equilibria evaluate case" in verdict().here


def test_published_numbers_can_be_a_bound(write, measured):
    check = CHECK | {"predicate": {"less_than": {"key": "published:error"}}}
    write({"checks": [check]})
    assert verdict().word == "reproduced"
    write({"checks": [check], "published": {"error": 0.16}})
    assert verdict().word == "not reproduced"


def test_paths_into_results():
    data = {"a": [{"b": 1}, {"b": 2}], "c": {"x": {"d": 3}, "y": {"d": 4}}}
    assert look_up(data, "a.1.b") == 2
    assert look_up(data, "a.-1.b") == 2
    assert look_up(data, "a.*.b") == [1, 2]
    assert look_up(data, "c.*.d") == [3, 4]
    for key in ("a.2.b", "a.x", "e", "a.*.z", "c.x.d.e", "a.0.b.*"):
        with pytest.raises(NoEvidence):
            look_up(data, key)


# ---------------------------------------------------------------------------- a wrong file
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"checks": []}, "needs checks"),
        ({"checks": [CHECK, CHECK]}, "used twice"),
        ({"checks": [CHECK | {"predicate": {"nearly": 1}}]}, "unknown predicate"),
        ({"checks": [CHECK | {"bound_from": "ours"}]}, "needs a reason"),
        ({"checks": [CHECK | {"bound_from": "hope"}]}, "bound_from"),
        ({"checks": [CHECK | {"tolerance": 1}]}, "tolerance"),
        ({"checks": [CHECK] * 7}, "checks"),
        ({"notebook": "07_none"}, "no notebook '07_none'"),
        ({"deviation": "no-such-heading"}, "no heading for 'no-such-heading'"),
        ({"places": []}, "places"),
        ({"id": "Not A Slug"}, "id"),
        ({"surprise": 1}, "surprise"),
        ({"not_run": {"huge": "no"}}, "not_run"),
    ],
)
def test_a_wrong_claim_is_refused_by_name(write, change, words):
    write(change)
    with pytest.raises(ClaimsError, match=re.escape(words)):
        claims.load()


def test_ids_are_used_once(write):
    write({}, {})
    with pytest.raises(ClaimsError, match="first-error"):
        claims.load()


# ------------------------------------------------------------------------ the frozen record
@pytest.fixture
def accepted(write, measured):
    assert claims.check("quick", draft=True) == 1, "a claim that is not in the record fails"
    assert claims.check("quick", accept="the first record") == 0
    assert claims.check("quick", draft=True) == 0


def test_a_worse_verdict_fails_and_names_old_and_new(accepted, measured, capsys):
    measured(GOOD | {"slope": 1})
    assert claims.check("quick", draft=True) == 1
    assert "first-error: reproduced -> partly" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("before", "after"),
    [("reproduced", "partly"), ("partly", "not reproduced"), ("reproduced", "not reproduced")],
)
def test_each_step_down_is_a_failure_and_each_step_up_is_none(
    write, measured, before, after, capsys
):
    data = {
        "reproduced": GOOD,
        "partly": GOOD | {"slope": 1},
        "not reproduced": {"table": {"8": {"test": 1}}, "slope": 1},
    }
    down, up = "against the record", "no worse than the record"
    for first, second, line in ((before, after, down), (after, before, up)):
        measured(data[first])
        assert claims.check("quick", accept="so it was") == 0
        measured(data[second])
        capsys.readouterr()
        claims.check("quick", draft=True)
        assert f"{line}: first-error: {first} -> {second}" in capsys.readouterr().out


def test_some_notebooks_are_judged_alone(write, measured):
    assert [v.claim.id for v in claims.judge_all("quick", ["01"])] == ["first-error"]
    assert claims.judge_all("quick", ["02"]) == []


def test_a_check_that_turns_fails_even_if_the_verdict_stays(write, measured, capsys):
    third = CHECK | {"id": "third", "key": "third"}
    write({"checks": [CHECK, SECOND, third]})
    measured(GOOD | {"slope": 1, "third": 0})
    claims.check("quick", accept="one of them misses")
    measured(GOOD | {"slope": 6, "third": 1})
    assert verdict().word == "partly"
    assert claims.check("quick", draft=True) == 1
    out = capsys.readouterr().out
    assert "first-error/third: held, and misses now" in out
    assert "new, and no worse than the record: first-error/slope: missed, and holds now" in out


def test_a_better_verdict_is_news_and_no_failure(accepted, measured, write, capsys):
    measured(GOOD | {"slope": 1})
    claims.check("quick", accept="worse now")
    measured(GOOD)
    assert claims.check("quick", draft=True) == 0
    assert (
        "new, and no worse than the record: first-error: partly -> reproduced"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"predicate": {"at_most": 0.2}}, "first-error/error: predicate"),
        ({"key": "slope", "predicate": {"at_most": 9}}, "first-error/error: evidence"),
        ({"bound_from": "theorem"}, "first-error/error: bound_from"),
    ],
)
def test_a_moved_bound_fails_although_it_holds(accepted, write, capsys, change, words):
    write({"checks": [CHECK | change, SECOND]})
    assert verdict().word == "reproduced"
    assert claims.check("quick", draft=True) == 1
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"claim": "The error is nearly small"}, "first-error: claim 'The error is small' ->"),
        ({"published": {"error": 0.2}}, "first-error: published {'error': 0.177} ->"),
        ({"caveat": "never mind"}, "first-error: caveat None ->"),
        ({"places": ["Table 2"]}, "first-error: places"),
        ({"checks": [SECOND, CHECK]}, "first-error: order"),
        ({"not_run": {"quick": "no time"}}, "first-error: not_run"),
        ({"checks": [CHECK, SECOND | {"says": "something"}]}, "first-error/slope: says"),
    ],
)
def test_nothing_that_a_claim_states_moves_unseen(accepted, write, capsys, change, words):
    write(change)
    assert claims.check("quick", draft=True) == 1
    assert words in capsys.readouterr().out


def test_bounds_of_claims_that_are_not_run_are_frozen_too(write, measured, capsys):
    write({"not_run": {"quick": "later", "paper": "later"}})
    claims.check("quick", accept="bounds before runs")
    check = CHECK | {"predicate": {"at_most": 99}}
    write({"not_run": {"quick": "later", "paper": "later"}, "checks": [check, SECOND]})
    assert claims.check("quick", draft=True) == 1
    assert "first-error/error: predicate" in capsys.readouterr().out


@pytest.mark.parametrize("options", [{"only": ["01"]}, {"draft": True}], ids=str)
def test_a_part_cannot_become_the_record(accepted, options):
    with pytest.raises(ClaimsError, match="--accept judges every notebook"):
        claims.check("quick", accept="a part", **options)


def test_no_page_is_written_against_the_record(accepted, measured, sample):
    page = (sample.root / "figures/quick/README.md").read_text()
    measured(GOOD | {"slope": 1})
    assert claims.check("quick") == 1
    assert (sample.root / "figures/quick/README.md").read_text() == page


def test_a_notebook_shows_what_stands_against_the_record(accepted, measured, sample):
    from equilibria.companion.results import Run

    folder = sample.root / "figures/quick/01_first"
    run = Run("01_first", {"profile": "quick"}, folder, 0.0)
    assert "Against the record" not in claims.show_verdicts(run)
    measured(GOOD | {"slope": 1}, finished=False)
    text = claims.show_verdicts(run)
    assert "**Against the record:** first-error: reproduced -> partly" in text


def test_a_dropped_claim_or_check_fails(accepted, write, capsys):
    write({"checks": [CHECK]})
    assert claims.check("quick", draft=True) == 1
    assert "first-error/slope: the check is gone" in capsys.readouterr().out
    write({"id": "renamed"})
    assert claims.check("quick", draft=True) == 1
    assert "first-error: the claim is gone" in capsys.readouterr().out


def test_an_accepted_change_stays_in_the_history(accepted, write, sample):
    write({"checks": [CHECK | {"predicate": {"at_most": 0.2}}, SECOND]})
    assert claims.check("quick", accept="the first bound was a misprint") == 0
    page = (sample.root / "figures/quick/README.md").read_text()
    assert "the first bound was a misprint" in page and "0.18" in page and "0.2" in page
    assert len(claims.read().history) == 2
    assert claims.check("quick", accept="nothing changed") == 0
    assert len(claims.read().history) == 2, "no change, no entry"


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_change_needs_a_reason(accepted, reason):
    with pytest.raises(ClaimsError, match="reason"):
        claims.check("quick", accept=reason)


def test_a_missing_number_cannot_be_accepted(accepted, measured):
    measured({"slope": 6})
    with pytest.raises(ClaimsError, match="missing number"):
        claims.check("quick", accept="never mind")


def test_some_notebooks_do_not_miss_the_others(accepted, capsys):
    assert claims.check("quick", only=["02"]) == 0
    assert "is gone" not in capsys.readouterr().out


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 9, "profiles": {}, "history": []}'])
def test_a_damaged_record_is_refused(accepted, text):
    record.lock_path().write_text(text)
    with pytest.raises(ClaimsError, match=r"verdicts\.lock"):
        claims.check("quick", draft=True)


# ------------------------------------------------------------------------------- the pages
def test_the_pages(accepted, sample):
    claims.check("quick")
    readme = (sample.root / "README.md").read_text()
    assert readme.startswith("before\n") and readme.endswith("after\n")
    assert "| Small error" in readme and "**reproduced**" in readme and "error 0.177" in readme
    page = (sample.root / "figures/quick/README.md").read_text()
    assert "reproduced: first-error" in page and "at most 0.18" in page and "± -" not in page
    claims.check("quick")
    assert (sample.root / "README.md").read_text() == readme, "written again, nothing changes"


def test_the_readme_holds_few_rows(write, measured):
    write(*({"id": f"claim-{i}"} for i in range(SUMMARY_ROWS + 1)))
    with pytest.raises(ClaimsError, match="the README holds 12"):
        claims.load()


def test_a_readme_without_its_place_is_refused(accepted, sample):
    (sample.root / "README.md").write_text("nothing")
    with pytest.raises(ClaimsError, match=r"README\.md has lost"):
        claims.check("quick")


def test_a_notebook_shows_misses_first(write, measured):
    write({"id": "held"}, {"id": "missed", "checks": [CHECK | {"predicate": {"at_most": 0.1}}]})
    text = claims.notebook_table(claims.judge_all("quick"))
    assert text.index("not reproduced: missed") < text.index("reproduced: held")


def test_the_box_has_the_first_miss_of_each_claim_and_misses_first(write, measured):
    fails = SECOND | {"says": "the slope", "predicate": {"at_least": 7}}
    write({"id": "held"}, {"id": "partly", "claim": "A steep slope", "checks": [CHECK, fails]})
    *_, missed, held = claims.pages.result_box(claims.judge_all("quick")).splitlines()
    cells = [cell.strip() for cell in missed.strip("|").split("|")]
    assert cells == ["A steep slope", "error 0.177", "the slope: 6", "**partly**"]
    cells = [cell.strip() for cell in held.strip("|").split("|")]
    assert cells == ["The error is small", "error 0.177", "the error: 0.17", "reproduced"]


def test_published_numbers_are_typed_once(write):
    claims.model._published.cache_clear()
    assert claims.published("first-error") == {"error": 0.177}
    with pytest.raises(ClaimsError, match="no claim 'other'"):
        claims.published("other")
    claims.model._published.cache_clear()
