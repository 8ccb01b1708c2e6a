"""`evalkit new-benchmark`: a definition proposed for a file of one's own, with doubts about it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.cli.exit_codes import FINE, USAGE
from evalkit.cli.options import Commands, new_parser, print_note
from evalkit.errors import UsageError

if TYPE_CHECKING:
    from evalkit.benchmarks import Definition
    from evalkit.drafts import Draft
    from evalkit.linting.check import LintReport
    from evalkit.proposals import Given
    from evalkit.questions import Question

SHOWN = 3
"""Questions that are shown."""

EXAMPLES = """  evalkit new-benchmark exam.csv
  evalkit new-benchmark exam.xlsx --group Chapter --yes
  evalkit new-benchmark deck.txt --columns front,A,B,C,D,back --answer back
  evalkit new-benchmark quiz.csv --answer Best --wrong "Bad 1" --wrong "Bad 2" --to quiz-2.toml

It asks before it writes. Without a terminal it writes with --yes only.

exit codes: 0 the set can be used, whatever the doubts; 2 it can't as it is (the definition is
written all the same), or usage; 4 a file that can't be written
"""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(
        commands,
        "new-benchmark",
        "propose a definition for a file of your own, and show what is doubtful about it",
        EXAMPLES,
    )
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="questions as a table, JSON, or an Excel file"
    )
    parser.add_argument(
        "--to",
        type=Path,
        metavar="FILE",
        help="where the definition goes (default: beside the questions, ending in .toml)",
    )
    parser.add_argument("--yes", action="store_true", help="write without asking")
    parser.add_argument("--force", action="store_true", help="overwrite a definition")
    parser.add_argument(
        "--json", action="store_true", help="print the facts as JSON; implies no question"
    )
    add_column_options(parser)
    parser.set_defaults(execute=execute)


def add_column_options(parser: argparse.ArgumentParser) -> None:
    """What the user may say of the columns, where it is not found out."""
    group = parser.add_argument_group("columns, which are found out where they are not named")
    several = {"action": "append", "default": [], "metavar": "COLUMN"}
    for name, text in (
        ("--stem", "the question's text; several are joined"),
        ("--choices", "all choices, or one of them; several times for one column each"),
        ("--wrong", "a wrong choice, where --answer names the right one's column"),
    ):
        group.add_argument(name, help=text, **several)  # type: ignore[arg-type]
    group.add_argument("--answer", metavar="COLUMN", help="which choice is right")
    group.add_argument(
        "--answer-is",
        choices=("letter", "index0", "index1", "text", "flags"),
        help="how the answer is written: letter, position from 0 or from 1, text, list of 0 and 1",
    )
    group.add_argument("--group", metavar="COLUMN", help="the subject")
    group.add_argument("--cluster", metavar="COLUMN", help="the passage that questions share")
    group.add_argument(
        "--shuffle", action="store_true", help="show choices in a seeded order (found out, too)"
    )
    group.add_argument(
        "--columns",
        type=lambda text: tuple(name.strip() for name in text.split(",")),
        default=(),
        metavar="NAME,...",
        help="the columns of a table without header",
    )


def execute(args: argparse.Namespace) -> int:
    """Propose, show, ask and write.

    Returns:
        0, or 2 if the set can't be used as it is, as `lint` says it.

    Raises:
        UsageError: the definition exists, or there is nobody to ask.
        RunError: it can't be written.
    """
    from evalkit.definition_text import render_definition, write_definition
    from evalkit.drafting import draft_benchmark
    from evalkit.linting.check import lint_draft

    path = args.to or args.file.with_suffix(".toml")
    if path.exists() and not args.force:
        raise UsageError(f"{path} exists; name another file by --to, or add --force")
    draft = draft_benchmark(args.file, build_given(args))
    text = render_definition(draft.definition, path.parent)
    report = lint_draft(draft)
    code = FINE if report.is_usable else USAGE
    if not args.json:
        print_proposal(draft, report, text, path)
        if not (args.yes or ask(f"Write {path}?")):
            print("Nothing was written.")
            return code
    if args.yes or not args.json:
        write_definition(path, text, overwrite=args.force)
    if args.json:
        print_facts(draft, report, text, path, written=args.yes)
    elif report.is_usable:
        print(f"Written. Next: evalkit show {path}; evalkit run {path} --model ...")
    else:
        print(f"Written, but the set can't be used as it is. Mend it; next: evalkit lint {path}")
    return code


def build_given(args: argparse.Namespace) -> Given:
    """What the options say of the columns."""
    from evalkit.proposals import Given

    return Given(
        stem=tuple(args.stem),
        choices=tuple(args.choices),
        wrong=tuple(args.wrong),
        answer=args.answer,
        answer_is=args.answer_is,
        group=args.group,
        cluster=args.cluster,
        shuffle=args.shuffle,
        columns=args.columns,
    )


def ask(question: str) -> bool:
    """Ask for yes or no; an empty line means no.

    Raises:
        UsageError: there is no terminal to ask at.
    """
    if not sys.stdin.isatty():
        raise UsageError("nothing was written: there is no terminal to ask at; add --yes")
    print(f"{question} [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def print_proposal(draft: Draft, report: LintReport, text: str, path: Path) -> None:
    """Print the definition, three questions and the doubts."""
    from evalkit.reports.lint import render_lint
    from evalkit.reports.tables import clean_lines

    print(clean_lines(f"Proposed definition, {path}:\n\n{text}"))
    for question in sample(draft):
        print(clean_lines(f"{render_shown(draft.definition, question)}\n"))
    print(f"{render_lint(report)}\n")


def sample(draft: Draft) -> tuple[Question, ...]:
    """A few questions, drawn by a fixed seed: the first ones of a file are often alike."""
    return tuple(draft.question_set.sample(SHOWN, 0).questions)


def render_shown(definition: Definition, question: Question) -> str:
    """A question as a model sees it, with the answer that counts as right."""
    from evalkit.prompts import build_prompt

    prompt = build_prompt(question, definition.prompt)
    right = ", ".join(prompt.labels[place] for place in question.right)
    pictures = "".join(f"[{image.place}]\n" for image in question.images)
    return (
        f"--- question {question.id}\n{pictures}{prompt.question}\n"
        f"--- right: {right}; the model goes on after: {definition.prompt.prefill}"
    )


def print_facts(draft: Draft, report: LintReport, text: str, path: Path, *, written: bool) -> None:
    """Print all of it as JSON."""
    shown = [render_shown(draft.definition, question) for question in sample(draft)]
    facts = {
        "definition": text,
        "path": str(path),
        "written": written,
        "questions": shown,
        "lint": report.to_dict(),
    }
    print(json.dumps(facts, indent=2, ensure_ascii=False))
    if not written:
        print_note("nothing was written: add --yes")
