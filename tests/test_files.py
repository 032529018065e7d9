"""Files are written whole, for everyone who may read the folder, and leftovers are swept."""

import hashlib
import os
import stat
import subprocess
import sys

import pytest
import torch
from equilibria import checkpoints
from equilibria.files import DataError, read_pinned, write_atomically


def test_every_file_has_the_rights_of_its_folder(tmp_path):
    """safetensors makes files for their owner alone, which a shared data folder cannot use."""
    text = write_atomically(tmp_path / "a", "text")
    checkpoints.write_tensors(tmp_path / "b", {"x": torch.ones(1)})
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (text, tmp_path / "b")]
    assert modes[0] == modes[1]


def test_what_a_killed_process_left_is_swept_by_the_next_writing(tmp_path):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=-1)
    mine = tmp_path / ".a[1].json.9999999.partial"
    theirs = tmp_path / f".a[1].json.{os.getppid()}.partial"  # it still runs
    other = tmp_path / f".b.json.{int(gone.stdout)}.partial"  # another file's
    left = tmp_path / f".a[1].json.{int(gone.stdout)}.partial"
    for path in (mine, theirs, other, left):
        path.touch()
    write_atomically(tmp_path / "a[1].json", "{}")
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "a[1].json", theirs, other])


def test_a_writer_that_fails_leaves_the_old_file(tmp_path):
    path = write_atomically(tmp_path / "a", "old")
    with pytest.raises(TypeError):
        write_atomically(path, None)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_pinned_file_is_the_published_one(tmp_path):
    path = write_atomically(tmp_path / "a", "text")
    digest = hashlib.sha256(b"text").hexdigest()
    assert read_pinned(path, digest) == b"text"
    with pytest.raises(DataError, match="another file than the published one"):
        read_pinned(path, digest[:-1] + "?")
    with pytest.raises(DataError, match="cannot be read"):
        read_pinned(tmp_path, digest)
