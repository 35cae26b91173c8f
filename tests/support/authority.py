"""Certificates of an authority that only these tests know.

In: names and addresses of hosts. Out: PEM files: the authority's own certificate, and a server's with its key.
"""

from __future__ import annotations

import hashlib
import ipaddress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path


_SIGNS = x509.KeyUsage(
    digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
)  # fmt: skip


class Authority:
    """Its files lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("tests")
        folder.mkdir(parents=True, exist_ok=True)

    @cached_property
    def file(self) -> Path:
        """What a client is to trust."""
        limits = x509.BasicConstraints(ca=True, path_length=0)
        made = self._signed(self._name, self._key.public_key(), limits, _SIGNS)
        return self._written("authority.pem", made.public_bytes(Encoding.PEM))

    @cached_property
    def directory(self) -> Path:
        """The same, named as OpenSSL looks it up: by a hash of the subject, which is in its canonical form here."""
        mark = int.from_bytes(hashlib.sha1(self._name.public_bytes()[2:]).digest()[:4], "little")
        (self._folder / "authorities").mkdir()
        return self._written(f"authorities/{mark:08x}.0", self.file.read_bytes()).parent

    def server(self, *hosts: str) -> Path:
        """A certificate for these hosts, with its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([_general(host) for host in hosts])
        made = self._signed(_named(hosts[0]), key.public_key(), names)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return self._written("server.pem", made.public_bytes(Encoding.PEM) + secret)

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *says: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        ours = x509.SubjectKeyIdentifier.from_public_key(key)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
        for one in says:
            builder = builder.add_extension(one, critical=not isinstance(one, x509.SubjectAlternativeName))
        builder = builder.add_extension(ours, critical=False).add_extension(issuer, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def _written(self, name: str, data: bytes) -> Path:
        file = self._folder / name
        file.write_bytes(data)
        return file


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
