"""Files that are written whole or not at all, and the error for data that cannot be used."""

import glob
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["DataError", "is_running", "read_pinned", "write_atomically", "write_with"]


class DataError(ValueError):
    """A data set or file is missing, damaged or another one; the message says what to do."""


def read_pinned(path: Path, sha256: str) -> bytes:
    """The bytes of a file from outside, once they are known to be the published ones.

    Raises `DataError` where the file cannot be read or its sha256 is another one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error})") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise DataError(
            f"{path} is another file than the published one: its sha256 is {digest}, not {sha256}"
        )
    return content


def write_atomically(path: Path, text: str) -> Path:
    """Write a text file in one step: no reader sees, and no killed run leaves, half of it."""
    return write_with(path, lambda part: part.write_text(text, encoding="utf-8"))


def write_with(path: Path, write: Callable[[Path], object]) -> Path:
    """Let ``write`` fill a hidden file beside ``path``, then move it there in one step.

    The folder is created where it is missing. What killed processes left of the same file is swept.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        if not is_running(leftover.name.split(".")[-2]):
            leftover.unlink(missing_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        # Some writers make files for their owner alone; others share the data folder.
        part.touch()
        mode = part.stat().st_mode
        write(part)
        part.chmod(mode)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def is_running(pid: str) -> bool:
    """Whether there is a process with this number; True where that cannot be known."""
    if not pid.isdecimal():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True
