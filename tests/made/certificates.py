"""Certificate chains for signing, made for one test and valid for a day; trusted by nobody."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Credentials:
    """PEM files: the chain, the signer's certificate first, and the private key."""

    certificate: Path
    key: Path

    @property
    def options(self) -> list[str]:
        return ["--sign-cert", str(self.certificate), "--sign-key", str(self.key)]


def new_key(kind: str = "P-256") -> Any:
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    curves = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1(), "K-256": ec.SECP256K1()}
    return ec.generate_private_key(curves[kind])


def make_credentials(
    folder: Path, *, kind: str = "P-256", passphrase: bytes = b"", expired: bool = False, for_signing: bool = True
) -> Credentials:
    """An authority's certificate, and one of a signer by it, with the C2PA profile unless it is not ``for_signing``."""
    folder.mkdir(exist_ok=True)
    authority, signer = new_key(), new_key(kind)
    chain = (
        _certificate("Signer", signer, "Authority", authority, is_authority=False, expired=expired, use=for_signing),
        _certificate("Authority", authority, "Authority", authority, is_authority=True),
    )
    pem = serialization.Encoding.PEM
    (folder / "chain.pem").write_bytes(b"".join(certificate.public_bytes(pem) for certificate in chain))
    how = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    (folder / "key.pem").write_bytes(signer.private_bytes(pem, serialization.PrivateFormat.PKCS8, how))
    return Credentials(folder / "chain.pem", folder / "key.pem")


def _certificate(
    name: str, key: Any, issuer: str, by: Any, *, is_authority: bool, expired: bool = False, use: bool = True
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc)
    begin = now - 10 * _DAY if expired else now - _DAY
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + 2 * _DAY)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(_usage(is_authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if not is_authority and use:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(by, hashes.SHA256())


def _usage(is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    parts = ((NameOID.COMMON_NAME, common), (NameOID.ORGANIZATION_NAME, "Test"), (NameOID.COUNTRY_NAME, "NO"))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])
