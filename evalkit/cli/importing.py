"""`evalkit import`: other tools' logs turned into run folders."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.cli.exit_codes import FINE, INCOMPLETE
from evalkit.cli.options import (
    Commands,
    add_data_option,
    check_results,
    new_parser,
    print_note,
)
from evalkit.cli.run import print_runs
from evalkit.errors import LogError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.importers.logged import LogOptions
    from evalkit.results import Run

EXAMPLES = """  evalkit import logs/*.eval
  evalkit import lm/out
  evalkit import lm/out/*/samples_arc_easy_*.jsonl --benchmark arc-easy
  evalkit import out/*/samples_mmlu_anatomy_generative_*.jsonl --filter get_response
  evalkit import results.json --format promptfoo --answer expected
  evalkit import benchmark_output/runs/v1/mmlu:subject=anatomy,model=openai_gpt2
  evalkit import predictions.csv --questions mmlu --model-name my-model
  evalkit import answers.csv --id qid --stem text --choices A --choices B --choices C \\
    --answer key --predicted reply --model-name my-model

The format is told by the content: .eval and .json logs of Inspect, --log_samples of
lm-evaluation-harness, .json and .jsonl results of promptfoo, per_instance_stats.json of HELM with
what lies beside it, and tables of predictions (.csv, .tsv, .jsonl, .json). Of a folder, all logs in
it are taken; files with such an ending that are none are named and skipped. `compare`, `report`
and `view` take logs that need no options as they are, without an import.

What evalkit counts is its own reading of each reply. The tool's score is kept beside it, and where
the two differ, that is said with examples; --json lists all of them. A sample that failed is
missing, never wrong. Questions are paired with those of other runs by their stem, choices and right
choice.

exit codes: 0 imported; 2 usage, or a log that can't be used; 4 imported, with replies missing or
one of a folder's logs skipped as it can't be read
"""

COLUMNS = (
    ("--id", "what the log calls a question"),
    ("--answer", "which choice is right"),
    ("--group", "the subject"),
    ("--predicted", "what the model answered: a letter, a choice's text, or a whole reply"),
    ("--score", "the tool's score: a column, or the name of a metric or scorer"),
    ("--model", "the model, where a table holds several"),
    ("--sample", "numbers several replies to a question"),
    ("--error", "filled where no reply came"),
)


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(
        commands,
        "import",
        "turn other tools' logs into runs, to be compared and reported",
        EXAMPLES,
    )
    parser.add_argument(
        "logs",
        nargs="+",
        type=Path,
        metavar="LOG",
        help="a log, or a folder of logs; of HELM, the folder of a run",
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="the folder in which each run has its own (default: results)",
    )
    parser.add_argument(
        "--format",
        choices=("inspect", "lm-eval", "promptfoo", "helm", "predictions"),
        help="the tool (default: told by the content)",
    )
    parser.add_argument(
        "--benchmark", metavar="NAME", help="what to call the questions (default: as the log does)"
    )
    parser.add_argument(
        "--model-name", metavar="NAME", help="the model that was asked (default: as the log says)"
    )
    parser.add_argument(
        "--filter",
        metavar="NAME",
        help="of lm-evaluation-harness: the filter whose score is kept (default: the first); of a "
        "folder, logs of other tools are skipped then",
    )
    parser.add_argument(
        "--questions",
        metavar="BENCHMARK",
        help="of a table without texts: the benchmark that was asked, by name or file, in which "
        "texts, choices and right answers are found by id",
    )
    parser.add_argument(
        "--split", metavar="NAME", help="of that benchmark: another split than its own"
    )
    add_data_option(parser)
    add_column_options(parser)
    parser.add_argument("--json", action="store_true", help="print the facts as JSON")
    parser.set_defaults(execute=execute)


def add_column_options(parser: argparse.ArgumentParser) -> None:
    """What the user may say of the columns, where it is not found out."""
    group = parser.add_argument_group(
        "columns, variables or keys, which are found out where they are not named"
    )
    group.add_argument(
        "--stem",
        action="append",
        default=[],
        metavar="COLUMN",
        help="the question's text; several are joined",
    )
    group.add_argument(
        "--choices",
        action="append",
        default=[],
        metavar="COLUMN",
        help="all choices; or several times, one column for each",
    )
    group.add_argument(
        "--answer-is",
        choices=("letter", "index0", "index1", "text", "flags"),
        help="how the answer is written: letter, position from 0 or from 1, text, list of 0 and 1",
    )
    for name, text in COLUMNS:
        group.add_argument(name, metavar="COLUMN", help=text)


def execute(args: argparse.Namespace) -> int:
    """Import logs, and print what is in them."""
    check_results(args.results)
    options = build_options(args)
    runs: list[Run] = []
    skipped: list[LogError] = []
    for path in args.logs:
        runs += import_path(path, args.results, options, skipped)
    print_skipped(skipped)
    if args.json:
        from evalkit.source_scores import source_scores_to_dict

        facts = [{**run.to_dict(), **source_scores_to_dict(run)} for run in runs]
        print(json.dumps({"runs": facts}, indent=2))
    else:
        print_runs(runs, as_json=False)
    is_whole = all(run.is_complete for run in runs) and not any(map(is_damage, skipped))
    return FINE if is_whole else INCOMPLETE


def import_path(
    path: Path, results: Path, options: LogOptions, skipped: list[LogError]
) -> Sequence[Run]:
    """The runs in a log, or in all logs of a folder.

    Args:
        path: of either.
        results: the folder of all runs.
        options: how to read them.
        skipped: takes what is wrong with files of a folder.

    Raises:
        LogError: the log can't be read, or none in the folder.
    """
    from evalkit.importers.endings import is_helm_run
    from evalkit.importers.folders import import_folder, import_log

    if path.is_dir() and not is_helm_run(path):
        return import_folder(path, results=results, options=options, skipped=skipped)
    return import_log(path, results=results, options=options)


def print_skipped(skipped: Sequence[LogError]) -> None:
    """Name the files of folders that were skipped; those with the same reason in one line."""
    names: dict[str, list[str]] = {}
    for error in skipped:
        reason = error.reason if is_damage(error) else error.reason.partition(": expected ")[0]
        names.setdefault(reason, []).append(str(error.path))
    for reason, paths in names.items():
        print_note(f"skipped: {', '.join(paths)}: {reason}")


def is_damage(error: LogError) -> bool:
    """Whether a file was a log that can't be read, and not something else."""
    from evalkit.importers.logged import UnknownLogError

    return not isinstance(error, UnknownLogError)


def build_options(args: argparse.Namespace) -> LogOptions:
    """How the logs are to be read.

    Raises:
        UsageError: two options contradict each other.
        BenchmarkError: the questions can't be read.
    """
    from evalkit.importers.logged import LogColumns, LogOptions

    if args.model and args.model_name:
        raise UsageError("--model names a column, --model-name the model itself: give one of them")
    questions = None
    if args.questions is not None:
        from evalkit.benchmarks import load_benchmark

        questions = load_benchmark(args.questions, data_folder=args.data, split=args.split)
    return LogOptions(
        format=args.format,
        benchmark=args.benchmark,
        model=args.model_name,
        filter=args.filter,
        columns=LogColumns(
            stem=tuple(args.stem),
            choices=tuple(args.choices),
            answer=args.answer,
            answer_is=args.answer_is,
            id=args.id,
            group=args.group,
            predicted=args.predicted,
            score=args.score,
            model=args.model,
            sample=args.sample,
            error=args.error,
        ),
        questions=questions,
    )
