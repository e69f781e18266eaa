"""Gmail's messages.send with the message as it is (a simple upload), from the public reference.

https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages/send
https://developers.google.com/workspace/gmail/api/guides/uploads
https://developers.google.com/workspace/gmail/api/guides/handle-errors
"""

import json
import re
import uuid
from http import HTTPStatus
from urllib.parse import unquote

from .mime import parse, sender_of, to_of, without
from .server import ApiServer, Refusal, delivery

_TARGET = re.compile(r"/upload/gmail/v1/users/(?P<mailbox>[^/?]+)/messages/send\?uploadType=media")


class Gmail(ApiServer):
    """It gives each message an ID of its own."""

    own_ids = "mail.gmail.com"
    path = "/upload/gmail/v1/users/{mailbox}/messages/send?uploadType=media"
    longest = 35 * 1024 * 1024

    def mailbox_of(self, request):
        found = _TARGET.fullmatch(request.target)
        if request.method != "POST" or not found:
            raise Refusal(HTTPStatus.NOT_FOUND, "notFound", "Not Found")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            raise Refusal(HTTPStatus.UNAUTHORIZED, "authError", "Invalid Credentials")
        mailbox = unquote(found["mailbox"])
        if mailbox in self.unknown:
            text = "Mail service not enabled"
            raise Refusal(HTTPStatus.BAD_REQUEST, "failedPrecondition", text)
        if mailbox not in self.tokens[token]:
            text = f"Delegation denied for {mailbox}"
            raise Refusal(HTTPStatus.FORBIDDEN, "forbidden", text)
        return mailbox

    def message_of(self, request):
        mailbox = self.mailbox_of(request)
        if len(request.body) > self.longest:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "uploadTooLarge", "Too large")
        if request.headers.get("content-type") != "message/rfc822":
            text = "Media type is not supported. Valid media types: [message/*]"
            raise Refusal(HTTPStatus.BAD_REQUEST, "badRequest", text)
        message = parse(request.body)
        recipients = to_of(message)
        if not recipients:
            raise Refusal(HTTPStatus.BAD_REQUEST, "invalidArgument", "Recipient address required")
        if self.refused_recipients & {*recipients}:
            raise Refusal(HTTPStatus.BAD_REQUEST, "invalidArgument", "Invalid To header")
        content = self.with_own_id(without(request.body, "Bcc"))
        if sender_of(message) not in {mailbox, *self.allowed_senders}:
            content = b"From: %s\r\n" % mailbox.encode() + without(content, "From")
        return delivery(mailbox, recipients, content)

    def yes(self):
        told = {"id": uuid.uuid4().hex[:16], "threadId": uuid.uuid4().hex[:16]}
        return HTTPStatus.OK, json.dumps({**told, "labelIds": ["SENT"]}).encode()

    def error(self, status, code, text):
        listed = [{"message": text, "domain": "global", "reason": code}]
        return {"error": {"code": int(status), "message": text, "errors": listed}}
