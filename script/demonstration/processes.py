"""The processes of the demo: all end with it, and none but them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.console import Problem

HOST = "127.0.0.1"
HIGHEST_PORT = 65535
PATIENCE = 10
"""Seconds for a process to end before it is killed."""


@dataclass(frozen=True)
class Process:
    name: str
    log: Path
    popen: subprocess.Popen[str]


class Processes:
    """A context manager: its end ends, in reverse order, the processes started by it."""

    def __init__(self) -> None:
        self._running: list[Process] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_exc: object) -> None:
        # Whoever presses Ctrl-C twice must not leave half of them behind.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for process in reversed(self._running):
            _end(process.popen)

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str],
        stdout: int | None = None,
    ) -> subprocess.Popen[str]:
        """Start a process; what it says goes to `log`.

        It is a session of its own: a Ctrl-C reaches this process alone, which then ends the others.
        Its standard input is a pipe that closes when this process dies.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as output:
            popen = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output if stdout is None else stdout,
                stderr=output,
                text=True,
                env=env,
                start_new_session=True,
            )
        self._running.append(Process(name, log, popen))
        return popen

    def check(self) -> None:
        """Raise Problem if one of the processes has ended."""
        for process in self._running:
            if process.popen.poll() is not None:
                lines = process.log.read_text(errors="replace").splitlines()
                raise Problem(
                    f"{process.name} ended by itself: {lines[-1] if lines else 'without a word'}\n"
                    f"  The whole output: {process.log}"
                )


def end_on_signals() -> None:
    """Let SIGTERM and the terminal's end do what Ctrl-C does, also for a background job."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def port(text: str) -> int:
    """The number of a port, from the command line. Raises ValueError if it is none."""
    number = int(text)
    if not 0 < number <= HIGHEST_PORT:
        raise ValueError(text)
    return number


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def require_free(port: int, option: str) -> None:
    """Raise Problem, with the option that chooses another, if `port` cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise Problem(
                f"Port {port} cannot be used ({error.strerror}): "
                f"end what uses it, or choose another port by {option}."
            ) from None


def _end(popen: subprocess.Popen[str]) -> None:
    popen.terminate()
    try:
        popen.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(popen.pid, signal.SIGKILL)
        popen.wait()
