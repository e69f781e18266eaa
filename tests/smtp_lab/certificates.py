"""A throw-away certificate authority, and server certificates good and bad."""

import ssl
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: The certificates a server may show; all but the first must be refused by a careful client.
KINDS = ("valid", "other-name", "self-signed", "expired", "expired-authority")
#: Further valid ones: for so many days, and for so many more.
LIVES = {
    "fresh": (1, 364),
    "ends-soon": (345, 20),
    "short-lived": (70, 20),
    "short-lived-late": (84, 6),
}

_DAY = timedelta(days=1)
_LONG_AGO = 10 * _DAY
_HERE = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
_ELSEWHERE = [x509.DNSName("elsewhere.test")]


class CertificateAuthority:
    """Signs server certificates and keeps its files in `directory`.

    `cafile` is the PEM file that a client has to trust (as `SSL_CERT_FILE`, say).
    """

    def __init__(self, directory):
        self._directory = Path(directory)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("SMTP lab authority")
        certificate = self._sign_authority(self._name, self._key.public_key(), _now())
        self._contexts = {}
        self.cafile = str(self._directory / "ca.pem")
        Path(self.cafile).write_bytes(_pem(certificate))

    def _sign_authority(self, name, public_key, issued):
        return (
            _builder(name, self._name, public_key, issued)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_may_sign(), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def context(self, kind: str) -> ssl.SSLContext:
        """The server side's TLS context that shows a certificate of this kind."""
        if kind not in self._contexts:
            self._contexts[kind] = self._new_context(kind)
        return self._contexts[kind]

    def _new_context(self, kind):
        if kind not in (*KINDS, *LIVES):
            raise ValueError(f"no such certificate: {kind}")
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(f"SMTP lab, {kind}")
        issuer, signer, authority = self._name, self._key, b""
        if kind == "self-signed":
            issuer, signer = subject, key
        elif kind == "expired-authority":
            issuer, signer = _name(kind), ec.generate_private_key(ec.SECP256R1())
            authority = _pem(self._sign_authority(issuer, signer.public_key(), _now() - _LONG_AGO))
        issued = _now() - _LONG_AGO if kind == "expired" else _now()
        certificate = (
            _builder(subject, issuer, key.public_key(), issued, LIVES.get(kind, (2, 2)))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName(_ELSEWHERE if kind == "other-name" else _HERE),
                critical=False,
            )
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
                critical=False,
            )
            .sign(signer, hashes.SHA256())
        )
        chain = self._directory / f"{kind}.pem"
        chain.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + _pem(certificate)
            + authority
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context


def of_unknown_version(certificate):
    """The same certificate, in PEM, but as of a version of X.509 that is not known."""
    version = b"\xa0\x03\x02\x01"
    der = ssl.PEM_cert_to_DER_cert(certificate)
    return ssl.DER_cert_to_PEM_cert(der.replace(version + b"\2", version + b"\5"))


def _now():
    return datetime.now(timezone.utc)


def _name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject, issuer, public_key, now, life=(2, 2)):
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - life[0] * _DAY)
        .not_valid_after(now + life[1] * _DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _may_sign():
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)
