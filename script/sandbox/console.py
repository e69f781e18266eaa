"""What a person sees: steps with their duration, and one clear line when something is wrong."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


class Problem(Exception):
    """Something the person at the keyboard can put right; its text says what to do."""


def run(main: Callable[[], int | None]) -> None:
    """Run `main` and exit with the code it returns; a Problem becomes one line and exit code 1."""
    name = f"script/{Path(sys.argv[0]).name}"
    try:
        code = main()
    except Problem as problem:
        sys.exit(f"{name}: {problem}")
    except PermissionError as error:
        sys.exit(
            f"{name}: {error.strerror}: {error.filename}. "
            "If .sandbox belongs to another user, remove it."
        )
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code)


def say(text: str) -> None:
    """Print a line at once, on stderr: stdout belongs to the tools that are run."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Announce a piece of work that takes seconds, and say how many it took."""
    say(f"{text} …")
    start = time.monotonic()
    yield
    say(f"  done in {time.monotonic() - start:.0f} s")


def call(
    command: Sequence[str | Path],
    *,
    log: Path,
    hint: str,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run `command` without a terminal, its output kept in `log`; return that output.

    Raises Problem with the last line of the output and `hint` when it fails or does not exist.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w+", encoding="utf-8", errors="replace") as output:
        try:
            code = subprocess.run(
                command,
                input=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                env=env,
                cwd=cwd,
                check=False,
            ).returncode
        except FileNotFoundError:
            raise Problem(f"{command[0]} is not on this machine; {hint}") from None
        output.seek(0)
        text = output.read()
    if code:
        last = next(
            (line.strip() for line in reversed(text.splitlines()) if line.strip()),
            f"exit code {code}",
        )
        raise Problem(
            f"{Path(command[0]).name} failed: {last}\n  {hint}\n  The whole output: {log}"
        )
    return text
