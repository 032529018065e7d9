"""equilibria.companion.notebook_runner and the Snakefile, with real kernels on the small project: progress, failures, kill -9, no ports."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import papermill
import pytest
from conftest import HOME
from equilibria.companion import notebook_runner as batch

TRANSPORT = "import json, ipykernel\nrun.save(value=[eta] * steps, transport=json.loads(ipykernel.get_connection_info())['transport'])"


def results(sample, name, profile="quick"):
    return json.loads((sample.root / "figures" / profile / name / "results.json").read_text())


def test_a_run_from_any_folder_with_a_changed_parameter(
    sample, tmp_path_factory, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    sample.notebook("01_first", TRANSPORT)
    copy = batch.run("01", overrides={"eta": 0.25})
    assert copy == sample.root / "build/custom/01_first-quick-eta=0.25.ipynb"
    assert results(sample, "01_first-quick-eta=0.25", "custom") == {
        "transport": "ipc",
        "value": [0.25] * 3,
    }
    assert not (sample.root / "figures/quick").exists()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("s  ")[1] for line in lines] == [
        "started, profile quick, quick-eta=0.25",
        "Title",
        "The experiment",
        "finished, build/custom/01_first-quick-eta=0.25.ipynb",
    ]
    assert all(
        cell.get("execution_count")
        for cell in nbformat.read(copy, as_version=4).cells
        if cell.cell_type == "code"
    )


@pytest.mark.parametrize(
    ("body", "limit", "reason"),
    [
        ("error = 0.4\nassert error < 0.2, f'error {error}'", 120, "AssertionError: error 0.4"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", 120, "Kernel died"),
        ("import time\ntime.sleep(60)", 6, "timed out"),
    ],
    ids=["assert", "dead kernel", "hanging cell"],
)
def test_a_notebook_that_stops_is_named_and_never_counts_as_done(sample, body, limit, reason):
    sample.notebook("01_first", body)
    done = sample.root / "build/quick/01_first.ipynb"
    done.parent.mkdir(parents=True)
    done.write_text("an older copy")
    with pytest.raises(batch.NotebookFailed, match=rf"01_first.ipynb stopped: (?s:.*){reason}"):
        batch.run("01", cell_seconds=limit)
    assert [path.name for path in done.parent.iterdir()] == ["01_first.failed.ipynb"]
    assert not (sample.root / "figures/quick/01_first/provenance.json").exists()


def test_plain_papermill_is_guarded_by_the_second_cell(sample, tmp_path):
    with pytest.raises(papermill.PapermillExecutionError, match="eta = 2: must be below 1"):
        papermill.execute_notebook(
            str(sample.root / "notebooks/01_first.ipynb"),
            str(tmp_path / "out.ipynb"),
            {"eta": 2},
            progress_bar=False,
        )


def reproduce(sample, *, only=""):
    """Start the workflow on the small project, in a process group of its own."""
    words = [
        "--snakefile",
        str(HOME / "Snakefile"),
        "--cores",
        "2",
        "--nolock",
        "--ignore-incomplete",
        "--keep-going",
        "--quiet",
        "all",
    ]
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", *words],
        cwd=sample.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=os.environ | {"PROFILE": "quick", "ONLY": only},
    )


def wait_for(what, seconds=60):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks at processes in /proc")
def test_reproduce_goes_on_where_kill_9_stopped_it(sample):
    """Both notebooks start at once; the first finishes, the whole run is killed in the second, and is run again."""
    waiting, go = sample.root / "waiting", sample.root / "go"
    sample.notebook(
        "02_second",
        f"import os, pathlib, time\npathlib.Path({str(waiting)!r}).write_text(str(os.getpid()))\n"
        f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.1)\n{TRANSPORT}",
    )
    first = sample.root / "build/quick/01_first.ipynb"
    killed = reproduce(sample)
    wait_for(lambda: first.exists() and waiting.exists())
    kernel = int(waiting.read_text())
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    wait_for(lambda: not alive(kernel), 20)  # a kernel without its parent ends by itself
    assert not (sample.root / "build/quick/02_second.ipynb").exists()
    stamp = first.stat().st_mtime_ns

    go.touch()
    again = reproduce(sample)
    said, _ = again.communicate(timeout=120)
    assert again.returncode == 0, said
    assert first.stat().st_mtime_ns == stamp and "01_first " not in said, (
        "what was finished is not run again"
    )
    assert results(sample, "02_second") == {"transport": "ipc", "value": [0.5] * 3}
    assert "0 claims: 0 hold" in said and "02_second" in said

    (sample.root / "figures/quick/01_first/results.json").write_text("{}")
    sample.notebook("01_first", "assert eta > 1")
    sample.notebook("02_second", "run.save(value=[eta])")
    (sample.root / "claims.yml").write_text(
        "- {id: a, notebook: 01_first, paper: p, claim: c, key: value, predicate: {at_most: 1}}\n"
        "- {id: b, notebook: 02_second, paper: p, claim: c, key: value, predicate: {at_most: 1}}\n"
    )
    third = reproduce(sample)
    said, _ = third.communicate(timeout=120)
    assert third.returncode != 0 and "AssertionError" in said, said
    assert "fails  a" in said and "holds  b" in said, (
        "the failed notebook stops neither the other one nor the verdicts"
    )


def test_reproduce_refuses_a_notebook_that_is_not_there(sample):
    done = reproduce(sample, only="01,7")
    said, _ = done.communicate(timeout=60)
    assert done.returncode != 0 and "no notebook '7'; there are 01_first, 02_second" in said
    assert not (sample.root / "build").exists()
