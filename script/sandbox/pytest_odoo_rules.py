"""pytest plugin of script/test: a browser test is never skipped in silence."""

import shutil

import pytest

from odoo.tests.common import HttpCase

from sandbox.browser import NAMES


def pytest_collection_finish(session):
    """End the run at once when browser tests are wanted and there is no browser."""
    has_browser_tests = any(_is_browser_test(item) for item in session.items)
    if has_browser_tests and not any(shutil.which(name) for name in NAMES):
        pytest.exit(
            "Browser tests need Chromium or Chrome on PATH. On Debian: apt install chromium.",
            returncode=1,
        )


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Turn a skipped browser test into a failure: Odoo skips it when no browser starts."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and _is_browser_test(item):
        report.outcome = "failed"
        report.longrepr = f"A browser test may not be skipped: {call.excinfo.value}"


def _is_browser_test(item):
    return isinstance(getattr(item, "cls", None), type) and issubclass(item.cls, HttpCase)
