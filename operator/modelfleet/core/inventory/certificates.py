"""Certificates and keys in descriptions: PEM in base64, without anything to ask for or look up."""

from __future__ import annotations

import base64
import binascii
import re
import ssl

from modelfleet.core.inventory.fields import decoded
from modelfleet.core.inventory.member import ClientCertificate, Unusable

CERTIFICATE_BYTES = 64 * 1024

# Only plain blocks. One with headers may be encrypted, and OpenSSL would ask the terminal for its password.
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_KEY = re.compile(rb"-----BEGIN ((?:RSA |EC )?PRIVATE KEY)-----[A-Za-z0-9+/=\s]+-----END \1-----")


def authorities(encoded: str, what: str) -> bytes:
    """Return the certificates that are to be trusted, as DER; none where nothing is given."""
    return b"".join(_certificates(encoded, what)) if encoded else b""


def client_certificate(certificate: str, key: str, what: str) -> ClientCertificate:
    """Return the certificate and the key that somebody shows."""
    chain = "".join(ssl.DER_cert_to_PEM_cert(der) for der in _certificates(certificate, f"{what} certificate"))
    found = _KEY.search(decoded(key, f"{what} key", CERTIFICATE_BYTES, "CertificateTooLarge"))
    if not found:
        raise Unusable("KeyInvalid", f"{what} key is no PEM of a private key that is not encrypted.")
    return ClientCertificate(chain, found[0].decode())


def _certificates(encoded: str, what: str) -> list[bytes]:
    pem = decoded(encoded, what, CERTIFICATE_BYTES, "CertificateTooLarge")
    found = [_der(block) for block in _CERTIFICATE.findall(pem)]
    if not found or not all(map(_is_certificate, found)):
        raise Unusable("CertificateInvalid", f"{what} is no PEM of certificates.")
    return found


def _der(block: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(block.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _is_certificate(der: bytes) -> bool:
    """Whether what will read it can."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=der)
    except (ssl.SSLError, ValueError):
        return False
    return True
