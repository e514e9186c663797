"""A certificate authority for one test, by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path


def authority(folder: Path, name: str = "ca") -> tuple[Path, Path]:
    """Paths of a CA's certificate and key."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    _openssl(
        f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        f"-subj /CN={name} -keyout {key} -out {cert}"
    )
    return cert, key


def issued(
    folder: Path, ca: tuple[Path, Path], name: str, address: str = "127.0.0.1"
) -> tuple[Path, Path]:
    """Paths of a certificate that the CA signed for localhost and an address, and of its key."""
    cert, key, wish = (folder / f"{name}.{kind}" for kind in ("pem", "key", "csr"))
    _openssl(
        f"req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} "
        f"-addext subjectAltName=DNS:localhost,IP:{address} -keyout {key} -out {wish}"
    )
    _openssl(
        f"x509 -req -in {wish} -CA {ca[0]} -CAkey {ca[1]} -CAcreateserial -days 2 "
        f"-copy_extensions copy -out {cert}"
    )
    return cert, key


def _openssl(words: str) -> None:
    subprocess.run(["openssl", *words.split()], check=True, capture_output=True)
