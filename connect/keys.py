"""Keys and certificates by which an application signs in: made here, or read from a file."""

import dataclasses
import datetime
import re

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from ..failover.encryption import UNREADABLE, end_of
from ..failover.text import decode, json_object

LONGEST_FILE = 16_384
"""Bytes of a service account's file; some 2,400 are usual."""
LONGEST_PEM = 8_192
"""Bytes of a key or a certificate: a key of 8,192 bits fits, and one that takes minutes to check
does not.
"""
FEWEST_BITS = 2_048
KEY_BITS = 3_072
CODES = (
    "too_large",
    "not_json",
    "authorized_user",  # a person's sign-in, made by Google's command-line tools
    "oauth_client",  # the file of a client id and secret
    "other_kind",
    "no_email",
    "no_key",
    "encrypted_key",
    "not_rsa",
    "weak_key",
    "unreadable_key",
    "unreadable_certificate",
)
"""What may be wrong with a file (see ``KeyFileError``)."""

_CLOCKS_DIFFER = datetime.timedelta(minutes=5)
_LONGEST_NAME = 64  # X.520
_ADDRESS = re.compile(r"[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,7}", re.ASCII)
_CLIENT_ID = re.compile(r"[0-9]{1,32}")
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


class KeyFileError(ValueError):
    """A key, a certificate or a file cannot be used; ``code``, one of ``CODES``, says why. It has
    no words of the file.
    """

    def __init__(self, code):
        super().__init__(code)
        self.code = code


@dataclasses.dataclass(frozen=True)
class Certificate:
    """What is to be known of a certificate."""

    ends_at: datetime.datetime
    """Naive UTC."""
    thumbprint: str
    """SHA-1 in upper-case hexadecimal digits, as Microsoft shows it."""
    sha256: str
    """The same by SHA-256."""


@dataclasses.dataclass(frozen=True)
class ServiceAccount:
    """What we need of a service account's file."""

    email: str
    private_key: str = dataclasses.field(repr=False)
    """PEM."""
    key_id: str
    client_id: str
    """The digits by which the domain's administrator allows it to send; empty where the file does
    not say.
    """


def make_key_pair(common_name, days=730):
    """A new RSA key, and a self-signed certificate of it, both as PEM.

    :param str common_name: what the certificate calls itself; cut to 64 characters
    :param int days: how long the certificate is valid
    :rtype: tuple[str, str]
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:_LONGEST_NAME])])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def read_private_key(pem):
    """The RSA key that a PEM text has.

    :param pem: text or bytes
    :raises KeyFileError: there is none, it is encrypted, too weak or of another kind
    :rtype: rsa.RSAPrivateKey
    """
    pem = _bounded(pem, LONGEST_PEM)
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise KeyFileError("encrypted_key") from None
    except UnsupportedAlgorithm:
        raise KeyFileError("not_rsa") from None
    except ValueError:
        raise KeyFileError("unreadable_key") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise KeyFileError("not_rsa")
    if key.key_size < FEWEST_BITS:
        raise KeyFileError("weak_key")
    return key


def read_certificate(pem):
    """What is to be known of the first certificate that a PEM text has.

    :param pem: text or bytes
    :raises KeyFileError: there is none
    :rtype: Certificate
    """
    certificate = _load_certificate(pem)
    try:
        ends_at = end_of(certificate).replace(tzinfo=None)
    except ValueError:
        raise KeyFileError("unreadable_certificate") from None
    return Certificate(
        ends_at=ends_at,
        thumbprint=certificate.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303
        sha256=certificate.fingerprint(hashes.SHA256()).hex().upper(),
    )


def matches(private_key, certificate):
    """Whether a certificate is the key's own.

    :param private_key: PEM
    :param certificate: PEM
    :raises KeyFileError: one of them cannot be read
    """
    ours = read_private_key(private_key).public_key()
    try:
        theirs = _load_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise KeyFileError("unreadable_certificate") from None
    return _der(ours) == _der(theirs)


def read_service_account(file):
    """What the JSON file of a Google service account says. All that it has beside this is ignored,
    also where it says that its tokens are to be had.

    :param file: text or bytes
    :raises KeyFileError: it is no such file, or its key cannot be used
    :rtype: ServiceAccount
    """
    said = json_object(decode(_bounded(file, LONGEST_FILE)).removeprefix("\ufeff"))
    if said is None:
        raise KeyFileError("not_json")
    if said.get("type") != "service_account":
        raise KeyFileError(_kind_of(said))
    email, key = said.get("client_email"), said.get("private_key")
    if not _looks_like(_ADDRESS, email):
        raise KeyFileError("no_email")
    if not (key and isinstance(key, str)):
        raise KeyFileError("no_key")
    read_private_key(key)
    key_id, client_id = said.get("private_key_id"), said.get("client_id")
    return ServiceAccount(
        email=email,
        private_key=key,
        key_id=key_id if _looks_like(_KEY_ID, key_id) else "",
        client_id=client_id if _looks_like(_CLIENT_ID, client_id) else "",
    )


def _kind_of(said):
    """The code for a file of Google's that is no service account's."""
    if said.get("type") == "authorized_user":
        return "authorized_user"
    return "oauth_client" if {"web", "installed"} & said.keys() else "other_kind"


def _bounded(file, longest):
    """:raises KeyFileError: it has more bytes than that"""
    file = file.encode("utf-8", "replace") if isinstance(file, str) else bytes(file)
    if len(file) > longest:
        raise KeyFileError("too_large")
    return file


def _load_certificate(pem):
    pem = _bounded(pem, LONGEST_PEM)
    try:
        return x509.load_pem_x509_certificate(pem)
    except UNREADABLE:
        raise KeyFileError("unreadable_certificate") from None


def _der(public_key):
    return public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _looks_like(pattern, value):
    return isinstance(value, str) and bool(pattern.fullmatch(value))
