"""Say what is wrong with the documentation; exit code 1 if anything is.

python script/documentation          also where a page that is made of others is out of date
python script/documentation --fix    first make such pages anew
"""

import argparse
import sys
import types
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "script"))
# The addon without its own __init__.py, which needs Odoo
addon = sys.modules["system_mail"] = types.ModuleType("system_mail")
addon.__path__ = [str(CHECKOUT)]

from documentation import (  # noqa: E402 - they need what is above
    answers,
    code_names,
    mail_providers,
    pages,
    picture,
    store_page,
)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fix", action="store_true", help="make anew what is made of others")
    fix = parser.parse_args().fix
    problems = _made(CHECKOUT / answers.PATH, answers.make(), fix)
    problems += _made(CHECKOUT / mail_providers.PATH, mail_providers.make(), fix)
    read = pages.read_all(CHECKOUT)
    problems += [problem for page in read.values() for problem in page.problems(read)]
    if not problems:  # a page can only be made of pages that are in order
        for path, text in store_page.make(read).items():
            problems += _made(CHECKOUT / path, text, fix)
    problems += picture.problems(CHECKOUT)
    problems += code_names.problems(read)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def _made(path: Path, text: str, fix: bool) -> list[str]:
    """Compare a page with what it would be if it were made now; with ``fix``, make it so."""
    if path.exists() and path.read_text() == text:
        return []
    if fix:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return []
    return [f"{path.relative_to(CHECKOUT)}: it is out of date: script/lint --fix makes it anew"]


if __name__ == "__main__":
    sys.exit(main())
