"""What nothing may leave behind, whatever a server says: sockets, threads, time, secrets."""

import contextlib
import gc
import io
import logging
import pathlib
import threading
import time
import traceback
import warnings

LONGEST = 5.0
"""Seconds: far more than a client who is in a hurry may take, on a busy machine too."""
_OPEN_FILES = pathlib.Path("/proc/self/fd")


@contextlib.contextmanager
def none_from(server, secrets):
    """What is done within it, with the server, leaves nothing behind. Yields a list for what was
    said of it.

    :param server: a context manager
    :param secrets: called with the server, afterwards: the strings that nobody may be told
    """
    told, debug = [], io.StringIO()
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())
    logging.getLogger().addHandler(handler)
    gc.collect()  # what other tests left behind is not theirs
    files, threads, begin = _open_files(), threading.active_count(), time.monotonic()
    try:
        with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stderr(debug):
            warnings.simplefilter("always", ResourceWarning)
            with server:
                yield told
                assert time.monotonic() - begin < LONGEST
            _wait_until(lambda: threading.active_count() <= threads)
            assert _open_files() <= files
        assert not caught, [str(warning.message) for warning in caught]
    finally:
        logging.getLogger().removeHandler(handler)
    told.append(debug.getvalue())
    assert not [(said, secret) for said in told for secret in secrets(server) if secret in said]


def everything_about(error):
    """All that a log or a person could see of an exception, or of none."""
    return [str(error), repr(error), *traceback.format_exception(error)] if error else []


def _open_files():
    return len([*_OPEN_FILES.iterdir()]) if _OPEN_FILES.is_dir() else 0


def _wait_until(condition):
    end = time.monotonic() + LONGEST
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
