"""HTTPS in front of a live server: some libraries speak nothing else, whatever host they are given."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Secure:
    """Where the live server answers by HTTPS, and the file of the certificate that vouches for it."""

    host: str
    port: int
    certificate: Path


@contextmanager
def https(live_server_url: str, folder: Path) -> Iterator[Secure]:
    """Relay HTTPS to a live server as long as the context lasts."""
    certificate, key = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    target = urlsplit(live_server_url)
    relay = Relay(context, target.hostname or HOST, target.port or 80)
    thread = threading.Thread(target=asyncio.run, args=(relay.run(),))
    thread.start()
    relay.ready.wait()
    yield Secure(HOST, relay.port, certificate)
    relay.stop()
    thread.join()


class Relay:
    """Take connections, and pass on what either side says. ``port`` is known when it is ``ready``."""

    def __init__(self, context: ssl.SSLContext, host: str, port: int) -> None:
        self.context, self.target = context, (host, port)
        self.port = 0
        self.ready = threading.Event()

    async def run(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._relay, HOST, 0, ssl=self.context)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            self.ready.set()
            await self._stopped.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(*self.target)
        await asyncio.gather(_copy(reader, to_server), _copy(from_server, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for this machine alone, good for a day, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    certificate, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, key_file
