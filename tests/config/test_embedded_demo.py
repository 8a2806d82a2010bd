"""The whole demo as a newcomer runs it: from nothing to a page that answers, killed, started again, stopped."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["BASE_URL", "ADMIN_USER", "ADMIN_PASSWORD", "WRITE_KEY", "SITE_ID", "API_KEY", "API_TOKEN", "WEBHOOK_SECRET"]
NAMES += ["HOOK"]


def start(data_dir: Path, port: int) -> subprocess.Popen[bytes]:
    """Start the demo; return when it has written demo.env."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "BROKER_URL")}
    process = subprocess.Popen(
        [sys.executable, "-m", "config.embedded", "demo"],
        cwd=ROOT,
        env={**inherited, "DATA_DIR": str(data_dir), "PORT": str(port)},
        start_new_session=True,
    )
    deadline = time.monotonic() + 90
    while not (data_dir / "demo.env").exists():
        assert process.poll() is None, "the demo ended"
        assert time.monotonic() < deadline, "the demo does not come up"
        time.sleep(0.05)
    return process


def read_keys(data_dir: Path) -> dict[str, str]:
    lines = (data_dir / "demo.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def leftovers(data_dir: Path) -> list[str]:
    """The processes that work in the demo's folder: by their environment, or a server by its command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            texts = (folder / "environ").read_text(errors="replace"), (folder / "cmdline").read_text(errors="replace")
        except OSError:
            continue
        if any(str(data_dir) in text for text in texts):
            found.append(texts[1])
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="children follow a killed supervisor on Linux only")
def test_the_demo_comes_up_survives_a_kill_and_stops_without_leftovers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    data_dir = tmp_path / "data"

    killed = start(data_dir, port)
    first = read_keys(data_dir)
    assert list(first) == NAMES
    assert answers(f"{first['BASE_URL']}/healthz")
    killed.kill()
    killed.wait()
    (data_dir / "demo.env").unlink()  # or the second start would seem to be up at once

    process = start(data_dir, port)
    assert read_keys(data_dir) == first
    assert answers(f"{first['BASE_URL']}/healthz")
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    assert not (data_dir / "demo.env").exists()
    assert not answers(f"{first['BASE_URL']}/healthz")
    assert leftovers(data_dir) == []
