"""Odoo's own server, as in production, beside the process that measures."""

import contextlib
import subprocess
import sys
import time

from demonstration.processes import free_port
from demonstration.web_clients import answers

from . import instance


@contextlib.contextmanager
def running(config_file, log_file, port, *options):
    """With two workers for HTTP and one for scheduled actions, within the block."""
    instance.rest()
    command = [sys.executable, "-m", "odoo", "-c", config_file, "--workers=2"]
    command += [f"--http-port={port}", f"--gevent-port={free_port()}", "--max-cron-threads=1"]
    command += [f"--logfile={log_file}", "--log-level=warn", *options]
    # the worker for websockets does not start this way, and says so again and again
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as odoo:
        try:
            while not answers(f"http://127.0.0.1:{port}/web/health"):
                time.sleep(0.5)
            yield
        finally:
            odoo.terminate()
