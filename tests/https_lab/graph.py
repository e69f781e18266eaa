"""Microsoft Graph's sendMail with a MIME message, from the public reference.

https://learn.microsoft.com/graph/api/user-sendmail
https://learn.microsoft.com/graph/outlook-send-mime-message
https://learn.microsoft.com/graph/errors
"""

import base64
import binascii
import re
from http import HTTPStatus
from urllib.parse import unquote

from .mime import parse, sender_of, to_of, without
from .server import ApiServer, Refusal, delivery

_PATH = re.compile(r"/v1\.0/users/(?P<mailbox>[^/?]+)/sendMail")
_NO_MIME = "Invalid base64 string for MIME content."


class Graph(ApiServer):
    """It keeps the Message-ID, unless ``own_ids`` is set: what the real one does is not documented.
    It drops headers that Exchange does not know.
    """

    path = "/v1.0/users/{mailbox}/sendMail"
    longest = 4 * 1024 * 1024

    def mailbox_of(self, request):
        found = _PATH.fullmatch(request.target)
        if request.method != "POST" or not found:
            raise Refusal(HTTPStatus.BAD_REQUEST, "BadRequest", "Resource not found for the path.")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            text = "Lifetime validation failed, the token is expired."
            raise Refusal(HTTPStatus.UNAUTHORIZED, "InvalidAuthenticationToken", text)
        mailbox = unquote(found["mailbox"])
        if mailbox in self.unknown:
            text = "The requested user is invalid."
            raise Refusal(HTTPStatus.NOT_FOUND, "ErrorInvalidUser", text)
        if mailbox not in self.tokens[token]:
            text = "Access is denied. Check credentials and try again."
            raise Refusal(HTTPStatus.FORBIDDEN, "ErrorAccessDenied", text)
        return mailbox

    def message_of(self, request):
        mailbox = self.mailbox_of(request)
        if len(request.body) > self.longest:
            text = "The request is larger than 4 MB."
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "RequestEntityTooLarge", text)
        if request.headers.get("content-type") != "text/plain":
            text = "The content type is not supported."
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", text)
        try:
            content = base64.b64decode(request.body, validate=True)
        except binascii.Error:
            content = b""
        if not content:
            code = "ErrorMimeContentInvalidBase64String"
            raise Refusal(HTTPStatus.BAD_REQUEST, code, _NO_MIME)
        message = parse(content)
        if sender_of(message) not in {mailbox, *self.allowed_senders}:
            text = "The user account which was used to submit this request does not have the right "
            text += "to send mail on behalf of the specified sending account."
            raise Refusal(HTTPStatus.FORBIDDEN, "ErrorSendAsDenied", text)
        recipients = to_of(message)
        if not recipients or self.refused_recipients & {*recipients}:
            text = "At least one recipient is not valid."
            raise Refusal(HTTPStatus.BAD_REQUEST, "ErrorInvalidRecipients", text)
        content = without(content, r"Bcc|X-[\w-]+|Auto-Submitted")
        return delivery(mailbox, recipients, self.with_own_id(content))

    def yes(self):
        return HTTPStatus.ACCEPTED, b""

    def error(self, status, code, text):
        inner = {"date": "2026-11-29T01:00:00", "request-id": "4f7b", "client-request-id": "4f7b"}
        return {"error": {"code": code, "message": text, "innerError": inner}}
