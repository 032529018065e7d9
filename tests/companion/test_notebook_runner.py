"""The notebook runner with real kernels on the small project: progress, failures, no ports."""

import json

import nbformat
import papermill
import pytest
from equilibria.companion import notebook_runner, parameters

pytestmark = pytest.mark.end_to_end

SAVE_TRANSPORT = """\
import json
import ipykernel

connection = json.loads(ipykernel.get_connection_info())
run.save(value=[eta] * steps, transport=connection["transport"])
"""
DIES = """\
import os
import signal

os.kill(os.getpid(), signal.SIGKILL)
"""
HANGS = """\
import time

time.sleep(600)
"""


def test_a_run_from_any_folder_with_a_changed_parameter(
    sample, tmp_path_factory, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    sample.notebook("01_first", SAVE_TRANSPORT)
    copy = notebook_runner.run("01", overrides={"eta": 0.25})
    name = parameters.custom_name("01_first", parameters.declared("01") | {"eta": 0.25})
    assert copy == sample.root / f"build/custom/{name}.ipynb"
    results = sample.root / f"figures/custom/{name}/results.json"
    assert json.loads(results.read_text()) == {"transport": "ipc", "value": [0.25] * 3}
    assert not (sample.root / "figures/quick").exists()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("s  ")[1] for line in lines] == [
        f"started, profile quick, {name.removeprefix('01_first-')}",
        "Title",
        "The experiment",
        f"finished, build/custom/{name}.ipynb",
    ]
    for cell in nbformat.read(copy, as_version=4).cells:
        assert cell.cell_type == "markdown" or cell.execution_count


@pytest.mark.parametrize(
    ("body", "limit", "reason"),
    [
        ("error = 0.4\nassert error < 0.2, f'error {error}'", 120, "AssertionError: error 0.4"),
        (DIES, 120, "Kernel died"),
        (HANGS, 1, "timed out"),
    ],
    ids=["assert", "dead kernel", "hanging cell"],
)
def test_a_notebook_that_stops_is_named_and_never_counts_as_done(sample, body, limit, reason):
    # Only the first kernel opens a run: the others need not wait until PyTorch is imported.
    start = {"start": ""} if body in (DIES, HANGS) else {}
    sample.notebook("01_first", body, **start)
    done = sample.root / "build/quick/01_first.ipynb"
    done.parent.mkdir(parents=True)
    done.write_text("an older copy")
    message = rf"01_first\.ipynb stopped: (?s:.*){reason}"
    with pytest.raises(notebook_runner.NotebookFailed, match=message):
        notebook_runner.run("01", cell_seconds=limit)
    assert [path.name for path in done.parent.iterdir()] == ["01_first.failed.ipynb"]
    assert not (sample.root / "figures/quick/01_first/provenance.json").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"eta": 2}, "eta = 2: must be below 1"),
        ({"etaa": 0.25}, "unknown parameter of 01_first: 'etaa', did you mean 'eta'"),
    ],
)
def test_plain_papermill_is_guarded_by_the_second_cell(sample, tmp_path, values, message):
    notebook = sample.root / "notebooks/01_first.ipynb"
    with pytest.raises(papermill.PapermillExecutionError, match=message):
        papermill.execute_notebook(
            str(notebook), str(tmp_path / "out.ipynb"), values, progress_bar=False
        )
    assert not (sample.root / "figures").exists()
