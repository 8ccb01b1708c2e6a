"""Nothing heavy is loaded before it is needed."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import evalkit.stats

HEAVY = ("numpy", "scipy", "sklearn", "pandas")


def test_no_statistics_load_anything_heavy_when_imported() -> None:
    names = [module.name for module in pkgutil.iter_modules(evalkit.stats.__path__)]
    script = "".join(f"import evalkit.stats.{name}\n" for name in names)
    script += f"import sys\nprint([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert len(names) > 20
    assert done.stdout.strip() == "[]"
