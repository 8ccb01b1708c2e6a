"""Which tool wrote a log: told by what is in it, whatever it is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evalkit.errors import LogError
from evalkit.importers import exported, helm, inspect, lm_eval, predictions, promptfoo
from evalkit.importers.endings import LINES, TABLES
from evalkit.importers.files import as_entry, read_head, read_json_file, read_lines
from evalkit.importers.logged import LoggedReply, LogOptions, LogRun, UnknownLogError

Replies = Iterator[tuple[LogRun, LoggedReply]]

EXPECTED = (
    "expected a log of Inspect (.eval, .json), lm-evaluation-harness (samples_*.jsonl), promptfoo "
    "(.json, .jsonl), HELM (per_instance_stats.json), or a table of predictions (.csv, .jsonl, "
    ".json)"
)


def read_log(path: Path, options: LogOptions, notes: list[str]) -> Replies:
    """The replies in a log, one after the other, each with the run that it belongs to.

    Args:
        path: the log; of HELM, the folder of a run will do.
        options: how to read it.
        notes: takes what has to be known of it; whole when all replies have been read.

    Raises:
        LogError: it can't be read, is of no known format, or not of the one that is wanted.
    """
    if path.is_dir():
        stats, state = path / helm.STATS, path / helm.STATE
        if not stats.is_file() and not state.is_file():
            raise LogError(f"a folder without {helm.STATS}: {EXPECTED}", path=path)
        path = stats if stats.is_file() else state
    head = read_head(path)
    if not head.strip():
        raise UnknownLogError(f"is empty: {EXPECTED}", path=path)
    suffix, wanted = path.suffix.lower(), options.format
    if head.startswith(b"PK"):
        check_format(path, "inspect", options)
        return inspect.read_archive(path, options, notes)
    if suffix in TABLES:
        check_format(path, "predictions", options)
        return predictions.read_table(path, options, notes)
    if suffix in LINES and not head.lstrip().startswith(b"["):
        return read_line_log(path, options, notes)
    if suffix in (".json", *LINES) or wanted is not None:
        return read_json_log(path, options, notes)
    raise UnknownLogError(f"of no known format: {EXPECTED}; --format names it", path=path)


def read_line_log(path: Path, options: LogOptions, notes: list[str]) -> Replies:
    """The replies in a file of lines: lm-eval's samples, promptfoo's results, or a table."""
    first = next(read_lines(path), None)
    values: Mapping[str, Any] = {} if first is None else first.values
    if exported.is_exported(values):
        check_format(path, "lm-eval", options)
        return exported.read_exported(path, options)
    if lm_eval.is_sample(values):
        check_format(path, "lm-eval", options)
        return lm_eval.read_samples(path, options, notes)
    if promptfoo.is_result(values):
        check_format(path, "promptfoo", options)
        return promptfoo.read_result_lines(path, options, notes)
    check_format(path, "predictions", options)
    return predictions.read_table(path, options, notes)


def read_json_log(path: Path, options: LogOptions, notes: list[str]) -> Replies:
    """The replies in a JSON file, by the keys that each tool writes."""
    top = read_json_file(path)
    if inspect.is_log(top):
        check_format(path, "inspect", options)
        return inspect.read_json(top, path, options, notes)
    if promptfoo.is_log(top):
        check_format(path, "promptfoo", options)
        return promptfoo.read_results(top, path, options, notes)
    if helm.is_stats(top) or helm.is_state(top):
        check_format(path, "helm", options)
        return helm.read_run(top, path, options, notes)
    if isinstance(top, list):
        entries = [as_entry(each, path, f"[{number}]") for number, each in enumerate(top)]
        if entries and lm_eval.is_sample(entries[0].values):  # as it wrote them until 2024
            check_format(path, "lm-eval", options)
            return lm_eval.read_samples(path, options, notes, lambda _: entries)
        check_format(path, "predictions", options)
        return predictions.read_list(top, path, options, notes)
    keys = ", ".join(list(map(str, top))[:8]) if isinstance(top, dict) else type(top).__name__
    raise UnknownLogError(f"of no known format (it holds {keys}): {EXPECTED}", path=path)


def check_format(path: Path, found: str, options: LogOptions) -> None:
    """Refuse a log of another format than the one that is wanted.

    Raises:
        LogError: naming both; or questions are named for a log that holds its own, a score for one
            that has but one, or a filter for one that has none.
    """
    wanted = options.format
    if options.questions is not None and found != "predictions":
        reason = f"a log of format {found} holds its questions: leave out --questions"
        raise LogError(reason, path=path)
    if options.columns.score is not None and found == "promptfoo":
        reason = "promptfoo's score is whether a reply passed its assertions: leave out --score"
        raise LogError(reason, path=path)
    if wanted not in (None, found):
        raise UnknownLogError(
            f"looks like a log of format {found}, not {wanted}: leave out --format, or name "
            "another file",
            path=path,
        )
    if options.filter is not None and found != "lm-eval":
        reason = f"a log of format {found} has no filters: leave out --filter, or name another file"
        raise UnknownLogError(reason, path=path)
