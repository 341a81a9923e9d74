"""An authority of a test's own, and servers that show certificates of it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
LOOPBACK = "127.0.0.1"


def named(words: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, words)])


@dataclass
class Authority:
    """Signs certificates; `file` in the folder is its own, for those who are to trust it."""

    folder: Path

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.file.write_bytes(self.own.public_bytes(Encoding.PEM))

    @property
    def file(self) -> Path:
        return self.folder / "authority.pem"

    @cached_property
    def own(self) -> x509.Certificate:
        mine = self.key.public_key()
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        return (
            self.begun(named("an authority"), 10)
            .public_key(mine)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(mine), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def begun(self, subject: x509.Name, days: int) -> x509.CertificateBuilder:
        """A certificate that is good from ten days ago for so many days from now on."""
        now = datetime.now(UTC)
        made = x509.CertificateBuilder(named("an authority"), subject, serial_number=x509.random_serial_number())
        return made.not_valid_before(now - 10 * DAY).not_valid_after(now + days * DAY)

    def server(self, name: str = LOOPBACK, days: int = 10) -> ssl.SSLContext:
        """What a server of that name or address shows its clients."""
        key, path = ec.generate_private_key(ec.SECP256R1()), self.folder / f"{name}-{days}.pem"
        known = x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
        certificate = (
            self.begun(named(name), days)
            .public_key(key.public_key())
            .add_extension(x509.SubjectAlternativeName([known]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        kept = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(certificate.public_bytes(Encoding.PEM) + kept)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context
