"""Odoo's own web server, as in production."""

import contextlib
import subprocess
import sys
import time

import psutil
from demonstration.processes import free_port
from demonstration.web_clients import answers

from measure import instance

PATIENCE = 60
"""Seconds in which it must have ended."""


class WebServer:
    """A context manager: a server on the database of ``instance.load``, and a worker for scheduled
    actions.

    :param str config_file: of that database
    :param str log_file: for its log
    :param int workers: for requests; 0 for one process with threads
    :param bool is_evented: the process that Odoo starts for websockets, alone
    """

    def __init__(self, config_file, log_file, workers=2, is_evented=False):
        port, other = free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "odoo", *(["gevent"] if is_evented else [])]
        command += ["-c", config_file, f"--workers={workers}", "--max-cron-threads=1"]
        ports = (other, port) if is_evented else (port, other)
        command += [f"--http-port={ports[0]}", f"--gevent-port={ports[1]}"]
        self._command = [*command, f"--logfile={log_file}", "--log-level=warn"]
        self._odoo = None

    def __enter__(self):
        instance.rest()
        # the worker for websockets does not start this way, and says so again and again
        self._odoo = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        while not answers(f"{self.url}/web/health"):
            time.sleep(0.5)
        return self

    def __exit__(self, *_exc):
        self.stop()

    def stop(self):
        """Ask it to end, and wait until it has. A worker that has just begun may miss that: Odoo
        waits for it until it is asked again.
        """
        while self._odoo.poll() is None:
            self._odoo.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._odoo.wait(PATIENCE)

    def connected_to(self, port):
        """The process that has a connection to this port of this machine, or None.

        :rtype: psutil.Process
        """
        connected = {
            c.pid for c in psutil.net_connections("tcp") if c.raddr and c.raddr.port == port
        }
        workers = psutil.Process(self._odoo.pid).children()
        return next((worker for worker in workers if worker.pid in connected), None)
