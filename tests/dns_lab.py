"""A name server on loopback, with whatever records a test gives it. Nobody else is asked."""

import contextlib
import socketserver
import threading

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset


class DnsLab:
    """A context manager::

        with DnsLab() as lab:
            lab.publish("company.test", "MX", "10 mx.company.test.")
            lab.publish_text("company.test", "v=spf1 -all")
            lab.fail("slow.test", silent=True)
            lab.resolver.resolve("company.test", "MX")

    ``questions`` are all it was asked, as ``(name, type)``.
    """

    def __init__(self):
        self._records = {}
        self._failing = {}
        self.questions = []
        lab = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                wire, sock = self.request
                answer = lab._answer(dns.message.from_wire(wire))
                if answer:
                    sock.sendto(answer.to_wire(max_size=65535), self.client_address)

        self._server = socketserver.UDPServer(("127.0.0.1", 0), Handler)
        self._server.max_packet_size = 65535
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="dns-lab", daemon=True
        )
        self.resolver = dns.resolver.Resolver(configure=False)
        self.resolver.nameservers = ["127.0.0.1"]
        self.resolver.port = self._server.server_address[1]

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exc):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @contextlib.contextmanager
    def as_default(self):
        """Whoever asks no resolver in particular asks this one."""
        before, dns.resolver.default_resolver = dns.resolver.default_resolver, self.resolver
        try:
            yield self
        finally:
            dns.resolver.default_resolver = before

    def publish(self, name, kind, *values):
        """Add records, in the notation of zone files; what the name said before of the kind, and
        its failing, is over. No values: the records are gone.
        """
        self._failing.pop(self._key(name), None)
        records = self._records.setdefault(self._key(name), {})
        records.pop(kind, None)
        if values:
            records[kind] = dns.rrset.from_text(dns.name.from_text(name), 60, "IN", kind, *values)

    def publish_text(self, name, *texts):
        """Add TXT records, each of any length; bytes or text."""
        self.publish(name, "TXT", *map(self._quoted, texts))

    def fail(self, name, silent=False):
        """Answer whatever is asked of the name, or within it, by SERVFAIL, or not at all."""
        self._failing[self._key(name)] = "silent" if silent else "servfail"

    def clear(self):
        """Be as new: no records, no failing, no questions."""
        self._records.clear()
        self._failing.clear()
        self.questions.clear()

    @staticmethod
    def _key(name):
        return dns.name.from_text(name).canonicalize()

    @staticmethod
    def _quoted(text):
        data = text.encode() if isinstance(text, str) else text
        bytes_ = [f"\\{byte:03d}" for byte in data]
        parts = ["".join(bytes_[start : start + 255]) for start in range(0, len(bytes_), 255)]
        return " ".join(f'"{part}"' for part in parts or [""])

    def _answer(self, query):
        question = query.question[0]
        name, kind = question.name.canonicalize(), dns.rdatatype.to_text(question.rdtype)
        self.questions.append((str(name).rstrip("."), kind))
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA | dns.flags.RA
        for failing, how in self._failing.items():
            if name.is_subdomain(failing):
                response.set_rcode(dns.rcode.SERVFAIL)
                return None if how == "silent" else response
        while "CNAME" in self._records.get(name, {}):
            alias = self._records[name]["CNAME"]
            response.answer.append(alias)
            name = alias[0].target.canonicalize()
        if name not in self._records:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif kind in self._records[name]:
            response.answer.append(self._records[name][kind])
        return response
