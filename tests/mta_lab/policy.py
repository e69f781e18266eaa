"""A policy service for Postfix (its SMTPD_POLICY_README), as Postgrey or a quota daemon is one."""

import socketserver
import threading


class PolicyService:
    """A context manager that answers each question with the next of `answers`, then the last again.

    :param answers: actions of an access table, as "DEFER_IF_PERMIT Greylisted" or "DUNNO"
    """

    def __init__(self, *answers):
        self._answers = list(answers)
        service = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                while question := self.rfile.readline():
                    if question == b"\n":
                        self.wfile.write(f"action={service.next_answer()}\n\n".encode())

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="policy", daemon=True
        )

    @property
    def restriction(self):
        """What asks it, in a list of Postfix's restrictions."""
        host, port = self._server.server_address
        return f"check_policy_service inet:{host}:{port}"

    def next_answer(self):
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exc):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
