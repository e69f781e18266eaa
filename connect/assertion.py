"""What an application signs with its key in place of a secret or a person's consent (RFC 7523)."""

import base64
import time
import uuid

import jwt

from .keys import read_certificate, read_private_key

LIFETIME = 600
"""Seconds. Google allows an hour, Microsoft asks for 5 to 10 minutes."""


def of_application(client):
    """Who we are, signed by the key of the certificate that the provider knows (RFC 7523 2.2).

    :param Client client: with ``private_key`` and ``certificate``
    :raises KeyFileError: one of them cannot be read
    :rtype: str
    """
    certificate = read_certificate(client.certificate)
    # https://learn.microsoft.com/entra/identity-platform/certificate-credentials
    headers = {
        "x5t#S256": _base64url(certificate.sha256),
        "x5t": _base64url(certificate.thumbprint),
    }
    claims = {"iss": client.client_id, "sub": client.client_id}
    return _signed(client, claims, "PS256", headers)


def of_service_account(client, subject):
    """For whom we want to send, signed by the service account's key (RFC 7523 2.1).

    :param Client client: with ``private_key``, ``issuer`` and ``key_id``
    :param str subject: the mailbox
    :raises KeyFileError: the key cannot be read
    :rtype: str
    """
    # https://developers.google.com/identity/protocols/oauth2/service-account#httprest
    headers = {"kid": client.key_id} if client.key_id else {}
    claims = {"iss": client.issuer, "sub": subject, "scope": client.scope}
    return _signed(client, claims, "RS256", headers)


def _signed(client, claims, algorithm, headers):
    now = int(time.time())
    claims |= {
        "aud": client.token_endpoint,
        "jti": str(uuid.uuid4()),
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME,
    }
    key = read_private_key(client.private_key)
    return jwt.encode(claims, key, algorithm, headers)


def _base64url(digits):
    return base64.urlsafe_b64encode(bytes.fromhex(digits)).rstrip(b"=").decode()
