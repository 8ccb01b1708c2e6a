"""Options of sending become settings, and what makes no sense is refused in one line."""

from __future__ import annotations

import argparse

import pytest

from evalkit.cli.options import build_settings
from evalkit.cli.run import add_parser
from evalkit.cli.sending import MOST_AT_ONCE, parse_concurrency
from evalkit.errors import UsageError
from evalkit.runs.concurrency import MOST
from evalkit.settings import RunSettings


def settings_of(*words: str) -> RunSettings:
    """The settings that `evalkit run` would use."""
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    [settings] = build_settings(parser.parse_args(["run", "facts", "--model", "m", *words]))
    return settings


def test_the_default_is_that_of_the_runner() -> None:
    assert MOST_AT_ONCE == MOST
    by_options, plain = settings_of(), RunSettings()
    assert by_options == plain
    assert by_options.retries.attempts == plain.retries.attempts
    assert by_options.retries.deadline_seconds == plain.retries.deadline_seconds
    assert by_options.retries.outage == plain.retries.outage


@pytest.mark.parametrize(
    ("text", "fixed", "most"),
    [("1", 1, 1), ("64", 64, 64), ("auto", None, MOST), ("auto:1", None, 1), ("auto:9", None, 9)],
)
def test_concurrency_is_fixed_or_capped(text: str, fixed: int | None, most: int) -> None:
    assert parse_concurrency(text) == (fixed, most)
    settings = settings_of("--concurrency", text)
    assert (settings.concurrency, settings.max_concurrency) == (fixed, most)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "auto:", "auto:0", "²", "1000000"])
def test_what_is_no_concurrency_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a number from 1, auto"):
        parse_concurrency(text)


def test_limits_tries_and_ends() -> None:
    settings = settings_of(
        *("--rpm", "600", "--tpm", "1e5", "--run-deadline", "60"),
        *("--attempts", "3", "--deadline", "20", "--patience", "5"),
    )
    assert settings.per_minute == {"requests": 600, "tokens": 100_000}
    assert settings.deadline_seconds == 60
    assert (settings.retries.attempts, settings.retries.deadline_seconds) == (3, 20)
    assert (settings.retries.outage.later, settings.retries.outage.at_start) == (5, 5)


def test_no_attempt_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="attempts 0: expected at least 1"):
        settings_of("--attempts", "0")


def test_workers_ask_directly() -> None:
    assert settings_of("--workers", "2").has_workers
    assert settings_of("--engine", "dask").has_workers
    assert not settings_of("--workers", "1").has_workers
    for words in (["--batch"], ["--images", "file"], ["--no-text"]):
        with pytest.raises(UsageError, match="workers ask directly"):
            settings_of("--workers", "2", *words)
