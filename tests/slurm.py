"""A Slurm of one node on loopback: munged, slurmctld and slurmd, as processes of a test."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

# Slurm's commands look for their configuration here, and jobs have no other way to find it.
CONFIG = Path("/etc/slurm/slurm.conf")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "sinfo")


def why_not():
    """Why Slurm cannot be started here; empty where it can."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"Slurm is not installed (apt-get install slurm-wlm munge): no {missing[0]}"
    if os.geteuid() != 0:
        return "slurmctld and slurmd need root"
    if CONFIG.exists():
        return f"there is a Slurm here already: {CONFIG}"
    return ""


class Slurm:
    """Start it with ``with``; ``folder`` gets its state and its logs."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.daemons = []

    def log(self):
        """What slurmctld wrote down."""
        return (self.folder / "slurmctld.log").read_text()

    def __enter__(self):
        for name in ("spool", "state"):
            (self.folder / name).mkdir(parents=True)
        munge = self.folder / "munge"
        munge.mkdir(mode=0o755)
        key = munge / "key"
        key.write_bytes(os.urandom(64))
        key.chmod(0o400)
        CONFIG.parent.mkdir(exist_ok=True)
        CONFIG.write_text(self._configuration(munge / "socket"))
        try:
            self._start(
                "munged",
                "--foreground",
                "--force",
                f"--key-file={key}",
                f"--socket={munge / 'socket'}",
                f"--log-file={munge / 'log'}",
                f"--pid-file={munge / 'pid'}",
                f"--seed-file={munge / 'seed'}",
            )
            self._wait("munged", (munge / "socket").exists)
            self._start("slurmctld", "-D", "-c")
            self._wait("slurmctld", lambda: self._answers("scontrol", "ping", says="UP"))
            self._start("slurmd", "-D")
            self._wait("slurmd", lambda: self._answers("sinfo", "-h", "-o", "%T", says="idle"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        subprocess.run(["scancel", "--user=root"], capture_output=True)
        # slurmd ends the jobs' processes; without it they would live on.
        end = time.monotonic() + 30
        while time.monotonic() < end and self._answers("squeue", "-h", says="root"):
            time.sleep(0.2)
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        CONFIG.unlink()

    def _start(self, *command):
        with open(self.folder / f"{command[0]}.out", "w") as output:
            self.daemons.append(
                subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
            )

    def _wait(self, name, is_up):
        end = time.monotonic() + 30
        while not is_up():
            said = (self.folder / f"{name}.out").read_text()[-2000:]
            assert self.daemons[-1].poll() is None, f"{name} ended: {said}"
            assert time.monotonic() < end, f"{name} does not come up: {said}"
            time.sleep(0.2)

    def _answers(self, *command, says):
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode == 0 and says in done.stdout

    def _configuration(self, munge_socket):
        host = socket.gethostname()
        ports = iter(_free_ports(2))
        lines = {
            "ClusterName": "test",
            "SlurmctldHost": f"{host}(127.0.0.1)",
            "SlurmUser": "root",
            "AuthType": "auth/munge",
            "AuthInfo": f"socket={munge_socket}",
            "CommunicationParameters": "NoInAddrAny",
            "SlurmctldPort": next(ports),
            "SlurmdPort": next(ports),
            "StateSaveLocation": self.folder / "state",
            "SlurmdSpoolDir": self.folder / "spool",
            "SlurmctldLogFile": self.folder / "slurmctld.log",
            "SlurmdLogFile": self.folder / "slurmd.log",
            "SlurmctldPidFile": self.folder / "slurmctld.pid",
            "SlurmdPidFile": self.folder / "slurmd.pid",
            "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none",
            "JobAcctGatherType": "jobacct_gather/none",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_CPU",
            "ReturnToService": 2,
            "KillWait": 2,
            # The node may claim more processors than there are: a stopped job needs none.
            "SlurmdParameters": "config_overrides",
            "NodeName": f"{host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=4000",
            "PartitionName": "cpu Nodes=ALL Default=YES State=UP",
        }
        return "".join(f"{name}={value}\n" for name, value in lines.items())


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
