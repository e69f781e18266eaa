"""What a process that sends mail notes of its transactions, for whoever compares that with what the
mail servers accepted.
"""

import logging
import os
import time
from pathlib import Path

import psycopg2.errors

PROBE = "probe-"
"""So begins what a client calls itself that only tries a mailbox."""


class Diary:
    """When a worker committed or rolled back. A line is there once it was written, whatever then
    becomes of the process.
    """

    COMMIT, UNDONE, END, KILLED, CLASH, JUMP = "C", "U", "E", "K", "S", "J"
    """``END`` of a transaction: by a rollback, unless it was committed just before. ``CLASH``: it
    could not be serialized. ``JUMP`` of the clock, in its own diary.
    """

    def __init__(self, path: Path):
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, what):
        os.write(self._file, f"{time.monotonic()} {what}\n".encode())

    def close(self):
        os.close(self._file)

    @staticmethod
    def read(path: Path) -> list[tuple[float, str]]:
        lines = path.read_text().splitlines() if path.exists() else []
        return [(float(at), what) for at, what in map(str.split, lines)]


def note_clashes(note):
    """Call ``note`` where a transaction of this thread could not be serialized."""

    def look(record):
        if any(isinstance(arg, psycopg2.errors.SerializationFailure) for arg in record.args or ()):
            note(Diary.CLASH)
        return True

    logging.getLogger("odoo.sql_db").addFilter(look)
