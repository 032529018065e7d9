"""The processes of the pool end with the one that started them, however that ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    not os.path.isdir("/proc/self"), reason="looks at processes in /proc"
)

SCRIPT = """
import os, time
from equilibria.problems.linear_programs.workers import worker_pool

def worker(seconds):
    time.sleep(seconds)
    return os.getpid()

with worker_pool() as pool:
    print(*set(pool.map(worker, [0.3] * 8)), flush=True)
    list(pool.map(worker, [{seconds}] * 8))
"""


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def start(seconds: int) -> tuple[subprocess.Popen[str], list[int]]:
    """A process with a pool at work, and the ids of its workers."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(seconds=seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    workers = [int(word) for word in process.stdout.readline().split()]
    assert workers and all(map(is_alive, workers))
    return process, workers


def wait_until_dead(workers: list[int]) -> None:
    end = time.monotonic() + 20
    while any(map(is_alive, workers)):
        assert time.monotonic() < end, "a worker lives on"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_do_not_outlive_a_process_that_was_killed(number):
    process, workers = start(600)
    try:
        process.send_signal(number)
        process.wait(timeout=20)
        wait_until_dead(workers)
    finally:
        for pid in filter(is_alive, workers):
            os.kill(pid, signal.SIGKILL)
        process.communicate()  # closes the pipes, which workers keep open, too


def test_ctrl_c_is_one_traceback_and_no_waiting_for_the_queue():
    process, workers = start(1)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert said.count("Traceback") == 1, said
    wait_until_dead(workers)
