"""The command `evalkit`: finds the subcommand, and turns errors into one line and an exit code."""

from __future__ import annotations

import argparse
import gc
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from evalkit.cli.exit_codes import INCOMPLETE, USAGE, exit_code_of
from evalkit.cli.options import print_note
from evalkit.errors import EvalkitError
from evalkit.version import __version__

DESCRIPTION = "Multiple-choice evaluation of language models behind the Messages API."

EXAMPLES = """examples:
  evalkit list                                     what can be run
  evalkit show everyday                            one question exactly as a model will see it
  evalkit run everyday --model local/smollm2-135m --limit 50
  evalkit run questions.csv --model claude-haiku-4-5 --model claude-opus-4-6
  evalkit plan mmlu --data ~/sets --model claude-haiku-4-5     what that would cost
  evalkit audit everyday --model claude-haiku-4-5  how much of a score is the way of asking
  evalkit compare results/A results/B --margin 2   whether B is worse than A by more than 2 points
  evalkit gate --baseline RUN --prompt new.toml    whether a new prompt made things worse
  evalkit init                                     a file with the checks of a project
  evalkit check                                    what that file asks for, the worst verdict
  evalkit new-benchmark questions.csv              propose a definition for a file of your own
  evalkit lint questions.csv                       what is doubtful about a file of questions
  evalkit doctor                                   whether a run could work from here
  evalkit batches                                  what was handed over and is not back yet
  evalkit report results --to report.html          a report for people, or for other programs
  evalkit import logs/*.eval                       other tools' logs as runs
  evalkit score results                            scores again from the answers on disk
  evalkit view                                     the runs in a browser, also while they go on
  evalkit verify results                           whether the folders are whole and unchanged

exit codes: 0 fine, 1 regressed, 2 usage, 3 inconclusive, 4 incomplete
(the same command again goes on)
"""


COMMANDS = (
    *("run", "gate", "audit", "compare", "plan", "batches", "show", "score", "report", "verify"),
    *("init", "baseline", "check", "import", "list", "new-benchmark", "lint", "models", "view"),
    "doctor",
)
"""In the order of the help; each has a module of its name, or the one below."""

MODULES = {"import": "importing"}
"""Of commands whose names no module can have."""


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser of one command, or of all.

    Args:
        command: the one that is wanted, whose module alone is loaded, so that it starts sooner; if
            it is none, or None, there are all.
    """
    parser = argparse.ArgumentParser(
        prog="evalkit",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"evalkit {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in [command] if command in COMMANDS else COMMANDS:
        module = importlib.import_module(f"evalkit.cli.{MODULES.get(name, name.replace('-', '_'))}")
        module.add_parser(commands)
    return parser


def run_process() -> NoReturn:
    """Be the process `evalkit`: run the command that it was given, and end with its exit code."""
    code = main()
    # Taking everything apart, object by object, takes a tenth of a second that nobody needs.
    gc.freeze()
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: None: those of the process.

    Returns:
        The exit code.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What the terminal's or the pipe's encoding lacks, such as the lines of tables, is a `?`.
        sys.stdout.reconfigure(errors="replace")
    try:
        try:
            return execute(arguments)
        finally:
            sys.stdout.flush()
    except OSError as error:
        # Our output is not taken any more; the interpreter must not try to write the rest of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            print_note(f"evalkit: standard output can't be written: {error.strerror}")
        return INCOMPLETE


def execute(arguments: Sequence[str] | None) -> int:
    """Run a command, with errors as one line on standard error."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        args = build_parser(next(iter(arguments), None)).parse_args(arguments)
        code: int = args.execute(args)
    except EvalkitError as error:
        print_note(f"evalkit: {error}")
        return exit_code_of(error)
    except KeyboardInterrupt:
        print_note("\nevalkit: interrupted; answers so far are kept, and the same command goes on")
        return INCOMPLETE
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is None:
            print(flush=True)  # raises if it was standard output that can't be written
        # A full disk, a missing permission, a name too long: no fault that a traceback would show.
        place = "" if error.filename is None else f"{error.filename}: "
        print_note(f"evalkit: {place}{error.strerror or error}")
        return USAGE
    return code
