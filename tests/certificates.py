"""Certificates for servers on this machine, which nobody vouches for unless told to."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="needs openssl to make a certificate"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfSigned:
    """A certificate that vouches for itself."""

    path: Path
    """For clients that are to trust it."""
    context: ssl.SSLContext
    """For the server."""


def make_certificate(folder: Path) -> SelfSigned:
    """Make one for `localhost` and 127.0.0.1, good for a day."""
    key, path = folder / "key.pem", folder / "certificate.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(path)]
    subprocess.run([*make.split(), *names, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key)
    return SelfSigned(path=path, context=context)
