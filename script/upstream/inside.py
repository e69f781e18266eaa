"""Run installed modules' tests by Odoo's own runner, and write down what each did.

    python -m upstream.inside RESULT_FILE HIDDEN_PATH ODOO_OPTION…

Runs inside the sandbox's Odoo. `HIDDEN_PATH` leaves the Python path first, so that a run without
the addon does not even see its files. `RESULT_FILE` becomes JSON: by the test's id its module, its
failures, why it was skipped, and where its queries were fewer than it expects.
"""

import json
import logging
import sys
from pathlib import Path


def main(result_file: str, hidden: str, *options: str) -> int:
    sys.path.remove(hidden)
    # Only now: what `odoo.addons` is made of is settled by the first import.
    from odoo.modules import module  # noqa: PLC0415
    from odoo.service import server  # noqa: PLC0415
    from odoo.tests import loader  # noqa: PLC0415
    from odoo.tools import config  # noqa: PLC0415

    outcomes: dict[str, dict] = {}
    config.parse_config(list(options), setup_logging=True)
    logging.getLogger("odoo.addons").addHandler(QueryCounts(module, outcomes))
    loader.OdooTestResult = recorder(loader.OdooTestResult, outcomes)
    loader.make_suite = when_all_is_loaded(loader.make_suite, loader.OdooSuite)
    if server.start(preload=config["db_name"], stop=True) < 0:
        return 1
    Path(result_file).write_text(json.dumps(outcomes, indent=1, sort_keys=True))
    return 0


def when_all_is_loaded(make_suite, suite):
    """Odoo's `make_suite`, with the at-install tests put off until all modules are loaded.

    Where Odoo runs them the addon is not loaded yet: it comes after the modules it stands on.
    """

    def make(module_names, position="at_install"):
        if position == "at_install":
            return suite()
        names = list(module_names)
        tests = [*make_suite(names, "at_install"), *make_suite(names, position)]
        return suite(sorted(tests, key=lambda test: getattr(test, "test_sequence", 0)))

    return make


def recorder(base: type, outcomes: dict[str, dict]) -> type:
    """Odoo's test result, one that also writes into `outcomes`."""

    class Recorder(base):
        def startTest(self, test):
            super().startTest(test)
            _outcome(outcomes, test)

        def addSkip(self, test, reason):
            super().addSkip(test, reason)
            _outcome(outcomes, test)["skipped"] = reason

        def logError(self, flavour, test, error):
            super().logError(flavour, test, error)
            _outcome(outcomes, test)["failures"].append(f"{error[0].__name__}: {error[1]}")

    return Recorder


class QueryCounts(logging.Handler):
    """Keeps what assertQueryCount says of a number below the expected one; above, it fails."""

    def __init__(self, running, outcomes: dict[str, dict]):
        super().__init__()
        self._running = running
        self._outcomes = outcomes

    def emit(self, record):
        if str(record.msg).startswith("Query count less"):
            _outcome(self._outcomes, self._running.current_test)["queries"].append(
                record.getMessage()
            )


def _outcome(outcomes: dict[str, dict], test) -> dict:
    test = getattr(test, "test_case", test)  # of a subtest
    name = test.id().removeprefix("odoo.addons.")
    module = getattr(test, "test_module", None) or name.rpartition("odoo.addons.")[2].split(".")[0]
    empty = {"module": module, "failures": [], "skipped": None, "queries": []}
    return outcomes.setdefault(name, empty)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
