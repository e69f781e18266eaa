"""A short run of script/chaos. The seed that it prints replays a failure alone."""

import subprocess
import sys

from sandbox import layout

SEED = 1


def test_every_invariant_holds_in_a_short_storm():
    command = [layout.CHECKOUT / "script" / "chaos", "--messages", "150", "--seed", str(SEED)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every invariant holds." in done.stdout
