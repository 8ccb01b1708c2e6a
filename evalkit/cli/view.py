"""`evalkit view`: the runs in a browser, also while they go on."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from evalkit.cli.exit_codes import FINE
from evalkit.cli.logs import naming_import, refuse_logs_of
from evalkit.cli.options import Commands, new_parser, print_note
from evalkit.errors import UsageError
from evalkit.importers.endings import is_log

EXAMPLES = """  evalkit view
  evalkit view ~/results --port 9000 --no-open
  evalkit view logs/arc.eval samples_arc.jsonl          other tools' logs, as runs

It shows the runs in a folder: how those that go on are doing, what came of the others, and any of
them compared. Nothing is changed, no model is asked, and only this machine is answered. Ctrl-C ends
it. An address that it shows can be kept: it shows the same again.
"""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(commands, "view", "show runs in a browser, live while they go on", EXAMPLES)
    parser.add_argument(
        "results",
        nargs="*",
        type=Path,
        default=[Path("results")],
        metavar="RESULTS",
        help="the folder of all runs (default: results), or logs of other tools",
    )
    parser.add_argument(
        "--port",
        type=parse_port,
        metavar="N",
        help="where the server listens (default: 8420, or the next one that is free)",
    )
    parser.add_argument(
        "--no-open",
        action="store_true",
        help="don't open a browser (nor is one opened where there is no terminal)",
    )
    parser.set_defaults(execute=execute)


def parse_port(text: str) -> int:
    """A port.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not (text.isascii() and text.isdecimal() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r}: expected 0 (any) to 65535")
    return int(text)


def execute(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from evalkit.view.serving import serve

    shown = ", ".join(map(str, args.results))
    opens = not args.no_open and sys.stdout.isatty() and has_display()

    def tell(address: str) -> None:
        print(f"{shown} is shown at {address}", flush=True)
        print_note("Ctrl-C ends it.")
        if opens:
            open_browser(address)

    try:
        with opened_results(args.results) as results:
            serve(results, port=args.port, ready=tell)
    except KeyboardInterrupt:
        print_note("")
    return FINE


@contextmanager
def opened_results(paths: Sequence[Path]) -> Iterator[Path]:
    """The folder to show; logs of other tools are runs in one that lasts as long as it is shown.

    Raises:
        UsageError: there are several folders, folders and logs, or one of logs.
        LogError: a log can't be read.
    """
    logs = [path for path in paths if is_log(path)]
    if not logs and len(paths) == 1:
        refuse_logs_of(paths[0])
        yield paths[0]
        return
    if len(logs) < len(paths):
        names = ", ".join(map(str, paths))
        raise UsageError(f"{names}: one folder of runs is shown, or logs of other tools")
    from evalkit.importers.folders import import_log

    with tempfile.TemporaryDirectory(prefix="evalkit-view-") as name:
        with naming_import():
            for path in logs:
                import_log(path, results=name)
        yield Path(name)


def has_display() -> bool:
    """Whether a browser would get a window: else one for terminals might take this one."""
    is_unix = sys.platform not in ("win32", "darwin")
    return not is_unix or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_browser(address: str) -> None:
    """Show an address in the user's browser, without waiting for it."""
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
