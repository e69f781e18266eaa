"""A provider that answers anything, in HTTP or not."""

from ..smtp_lab import Liar


class WebLiar(Liar):
    """Its one phase is "answer", to each request; ``heard`` has the bodies of the requests."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def _converse(self, sock, lines):
        while head := lines.readline():
            length = 0
            while (line := lines.readline()).strip():
                name, _colon, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            self.heard.append(lines.read(length) or head)
            self._say(sock, "answer", self.heard[-1])
