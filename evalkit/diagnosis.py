"""Whether a run could work from here: what is installed, set, reachable and writable."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from evalkit.api.endpoint import Endpoint, endpoint_from_environment
from evalkit.api.greeting import Greeting, greet
from evalkit.cache_folder import cache_folder
from evalkit.errors import ApiError, UsageError
from evalkit.running_loop import run_to_end
from evalkit.version import __version__

DISTRIBUTION = "evalkit-mcq"
FOR_DEVELOPERS = ("dev", "docs")
"""Extras that no run needs."""

OFF_SECONDS = 60.0
"""A clock that is further from the server's than this is said to be wrong."""

LEAST_BYTES, FEW_BYTES = 10_000_000, 1_000_000_000
"""Free space below which no run is begun, and below which a large one may not end."""

ANOTHER_FOLDER = {
    "results": "choose another folder by --results, or another working directory",
    "cache": "choose another folder by EVALKIT_CACHE_DIR",
}

REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[(?P<extras>[\w,-]+)\])?[^;]*(;(?P<marker>.*))?")
EXTRA = re.compile(r"""extra\s*==\s*['"](?P<name>[\w-]+)['"]""")

PointLevel = Literal["fine", "note", "fault"]
"""A note is for knowing; a fault keeps runs from working."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisPoint:
    """One thing that was looked at."""

    name: str
    level: PointLevel
    says: str
    """What is the case; never a key."""
    remedy: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The same for programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All that was looked at."""

    points: tuple[DiagnosisPoint, ...]

    def level_of(self, *names: str) -> PointLevel:
        """The worst level among the points of these names; "fine" if none was looked at."""
        levels = {point.level for point in self.points if point.name in names}
        return "fault" if "fault" in levels else "note" if "note" in levels else "fine"

    @property
    def can_save(self) -> bool:
        """Whether any run could be computed and written down here."""
        return self.level_of("dependencies", "results") != "fault"

    @property
    def can_ask_endpoint(self) -> bool:
        """Whether a run could ask the endpoint."""
        return self.can_save and self.level_of("key", "endpoint") != "fault"

    @property
    def can_ask_embedded(self) -> bool:
        """Whether a run could ask an embedded model."""
        has_engine = any(point.facts.get("extras", {}).get("local") for point in self.points)
        return self.can_save and has_engine and self.level_of("cache") != "fault"

    @property
    def works(self) -> bool:
        """Whether some run could work."""
        return self.can_ask_endpoint or self.can_ask_embedded

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        return {
            "works": self.works,
            "endpoint": self.can_ask_endpoint,
            "embedded": self.can_ask_embedded,
            "points": [
                {"name": p.name, "level": p.level, "says": p.says, "remedy": p.remedy, **p.facts}
                for p in self.points
            ],
        }


def diagnose(
    *,
    endpoint: Endpoint | None = None,
    results: Path | str = "results",
    offline: bool = False,
    seconds: float = 10.0,
) -> Diagnosis:
    """Look at everything that a run needs: packages, key, endpoint, clock and folders.

    The endpoint gets one request, which is free. Nothing that is wrong here is an error: it is a
    `DiagnosisPoint` with what to do.

    Args:
        endpoint: None: what ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY name.
        results: the folder where runs would land; it need not exist.
        offline: leave the endpoint alone.
        seconds: how long it may take to answer.

    Returns:
        What was found; see `Diagnosis.works`.

    Example:
        >>> from evalkit import Endpoint
        >>> from evalkit.testing import MessagesServer
        >>> with MessagesServer() as server:
        ...     endpoint = Endpoint(base_url=server.base_url, api_key=server.key)
        ...     found = diagnose(endpoint=endpoint)
        >>> found.can_ask_endpoint, found.level_of("key", "endpoint")
        (True, 'fine')
    """
    job = diagnose_async(endpoint=endpoint, results=results, offline=offline, seconds=seconds)
    return run_to_end(job)


async def diagnose_async(
    *,
    endpoint: Endpoint | None = None,
    results: Path | str = "results",
    offline: bool = False,
    seconds: float = 10.0,
) -> Diagnosis:
    """The same as `diagnose`, to be awaited.

    Example:
        >>> import asyncio
        >>> found = asyncio.run(diagnose_async(offline=True))
        >>> found.level_of("endpoint"), found.level_of("results")
        ('fine', 'fine')
    """
    return await look_around(
        endpoint=endpoint, results=Path(results), offline=offline, seconds=seconds
    )


async def look_around(
    *,
    endpoint: Endpoint | None = None,
    base_url: str | None = None,
    results: Path = Path("results"),
    offline: bool = False,
    seconds: float = 10.0,
    environment: Mapping[str, str] = os.environ,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Diagnosis:
    """Look at everything, in an environment that may be another; see `diagnose`.

    Args:
        endpoint: None: what address and environment name.
        base_url: its address; beats the environment.
        results: the folder where runs would land; it need not exist.
        offline: leave the endpoint alone.
        seconds: how long it may take to answer.
        environment: where key and address are read from.
        now: the clock of this machine, in UTC.
    """
    points = [say_version(), say_python()]
    requirements = list_requirements()
    points += [look_at_dependencies(requirements), look_at_extras(requirements)]
    try:
        endpoint = endpoint or endpoint_from_environment(
            base_url, need_key=False, environment=environment
        )
    except UsageError as error:
        remedy = "set ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL anew"
        points += [
            DiagnosisPoint(name="endpoint", level="fault", says=str(error), remedy=remedy),
            leave_clock("there is no server to compare it with"),
        ]
    else:
        points.append(look_at_key(endpoint))
        if offline:
            points.append(leave_clock("nobody is asked offline"))
        else:
            points += await look_at_endpoint(endpoint, seconds, now)
    points += [look_at_folder("results", results), look_at_folder("cache", cache_folder(""))]
    return Diagnosis(points=tuple(points))


def say_version() -> DiagnosisPoint:
    """Which evalkit this is."""
    facts = {"version": __version__}
    return DiagnosisPoint(name="evalkit", level="fine", says=__version__, facts=facts)


def say_python() -> DiagnosisPoint:
    """Which Python, and where it runs."""
    version, system = platform.python_version(), f"{platform.system()} {platform.machine()}"
    facts = {"version": version, "system": system}
    return DiagnosisPoint(name="python", level="fine", says=f"{version} on {system}", facts=facts)


def list_requirements() -> Sequence[str]:
    """What the installed package says that it requires; nothing where it was never installed."""
    try:
        return importlib.metadata.requires(DISTRIBUTION) or ()
    except importlib.metadata.PackageNotFoundError:
        return ()


def look_at_dependencies(requirements: Sequence[str]) -> DiagnosisPoint:
    """The packages that every run needs, with their versions."""
    versions = {name: find_version(name) for name in sorted(names_of(requirements, None))}
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        return DiagnosisPoint(
            name="dependencies",
            level="fault",
            says=f"missing: {', '.join(missing)}",
            remedy=f"pip install --upgrade {DISTRIBUTION}",
            facts={"versions": versions},
        )
    if not versions:
        says = f"unknown: this copy of evalkit was not installed as {DISTRIBUTION}"
        remedy = "pip install . in its folder"
        return DiagnosisPoint(name="dependencies", level="note", says=says, remedy=remedy)
    says = ", ".join(f"{name} {version}" for name, version in versions.items())
    return DiagnosisPoint(
        name="dependencies", level="fine", says=says, facts={"versions": versions}
    )


def look_at_extras(requirements: Sequence[str]) -> DiagnosisPoint:
    """Which optional parts are there; those that are not are no fault."""
    named = {match["name"] for text in requirements if (match := EXTRA.search(text))}
    extras = {
        extra: all(find_version(name) for name in names_of(requirements, extra))
        for extra in sorted(named - set(FOR_DEVELOPERS))
    }
    there = [extra for extra, is_there in extras.items() if is_there]
    missing = [extra for extra, is_there in extras.items() if not is_there]
    says = f"installed: {', '.join(there) or 'none'}"
    if missing:
        says += f"; not installed: {', '.join(missing)}"
    remedy = f"if you need them: pip install '{DISTRIBUTION}[{','.join(missing)}]'"
    return DiagnosisPoint(
        name="extras",
        level="note" if missing else "fine",
        says=says,
        remedy=remedy if missing else None,
        facts={"extras": extras},
    )


def names_of(requirements: Sequence[str], extra: str | None) -> Iterator[str]:
    """The packages that an extra needs, those of extras within it included; None: every run's.

    Example:
        >>> lines = ["numpy>=1", "evalkit-mcq[a]; extra == 'b'", "ray; extra == 'a'"]
        >>> list(names_of(lines, None)), list(names_of(lines, "b"))
        (['numpy'], ['ray'])
    """
    for text in requirements:
        match = REQUIREMENT.match(text)
        marked = EXTRA.search(text)
        if match is None or (marked["name"] if marked else None) != extra:
            continue
        if match["name"] != DISTRIBUTION:
            yield match["name"]
        for inner in (match["extras"] or "").split(",") if match["name"] == DISTRIBUTION else ():
            yield from names_of(requirements, inner)


def find_version(name: str) -> str | None:
    """The version of an installed package."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def look_at_key(endpoint: Endpoint) -> DiagnosisPoint:
    """Whether there is a key, and nothing else about it."""
    for name, key in (
        ("ANTHROPIC_API_KEY", endpoint.api_key),
        ("ANTHROPIC_AUTH_TOKEN", endpoint.auth_token),
    ):
        if key:
            return DiagnosisPoint(
                name="key", level="fine", says=f"{name} is set", facts={"present": True}
            )
    facts = {"present": False}
    if endpoint.lacks_key:
        return DiagnosisPoint(
            name="key",
            level="fault",
            says=f"none, and {endpoint.host} wants one",
            remedy="set ANTHROPIC_API_KEY, or ask an embedded model, or --base-url another server",
            facts=facts,
        )
    return DiagnosisPoint(
        name="key", level="note", says="none; this server may not need one", facts=facts
    )


async def look_at_endpoint(
    endpoint: Endpoint, seconds: float, now: Callable[[], datetime]
) -> list[DiagnosisPoint]:
    """Whether the endpoint answers, and what time it has."""
    facts = {"host": endpoint.host, "status": None}
    try:
        greeting = await greet(endpoint, seconds=seconds)
    except (ApiError, UsageError) as error:
        remedy = "see to the address, the network or the proxy; embedded models need none of them"
        return [
            DiagnosisPoint(
                name="endpoint", level="fault", says=str(error), remedy=remedy, facts=facts
            ),
            leave_clock("the endpoint did not answer"),
        ]
    if greeting.server_time is None:
        clock = leave_clock("the server tells no time")
    else:
        clock = judge_clock((now() - greeting.server_time).total_seconds())
    return [judge_greeting(endpoint, greeting), clock]


def judge_greeting(endpoint: Endpoint, greeting: Greeting) -> DiagnosisPoint:
    """What the status of an endpoint's answer means for a run."""
    host = endpoint.host
    facts = {"host": host, "status": greeting.status}
    level: PointLevel = "note"
    says = f"{host} is reachable, but answers with status {greeting.status}"
    remedy: str | None = "try again later; runs do so by themselves"
    if greeting.is_at_home:
        level, says, remedy = "fine", f"{host} answers", None
    elif greeting.refuses_key:
        has_key = bool(endpoint.secrets or endpoint.api_key or endpoint.auth_token)
        says = f"{host} is reachable, but {'refuses the key' if has_key else 'wants a key'}"
        level, remedy = "fault", "set ANTHROPIC_API_KEY to a key of this server"
    elif greeting.status < 500 and greeting.status not in (408, 409, 429):
        level, remedy = "fault", "see whether the address is that of a server of the Messages API"
    return DiagnosisPoint(name="endpoint", level=level, says=says, remedy=remedy, facts=facts)


def leave_clock(reason: str) -> DiagnosisPoint:
    """That the clock was compared with no other, and why."""
    facts = {"ahead_seconds": None}
    return DiagnosisPoint(name="clock", level="note", says=f"not checked ({reason})", facts=facts)


def judge_clock(ahead_seconds: float) -> DiagnosisPoint:
    """What a clock means that is so far ahead of the server's; behind it if negative.

    Example:
        >>> judge_clock(-90.0).says
        '90 s behind that of the server'
    """
    facts = {"ahead_seconds": round(ahead_seconds)}
    if abs(ahead_seconds) <= OFF_SECONDS:
        says = "agrees with that of the server to the minute"
        return DiagnosisPoint(name="clock", level="fine", says=says, facts=facts)
    side = "ahead of" if ahead_seconds > 0 else "behind"
    return DiagnosisPoint(
        name="clock",
        level="note",
        says=f"{abs(ahead_seconds):.0f} s {side} that of the server",
        remedy="set the clock: times in manifests would be wrong, and certificates may be refused",
        facts=facts,
    )


def look_at_folder(name: str, folder: Path) -> DiagnosisPoint:
    """Whether a folder, or the nearest one above it that exists, takes files, and how many."""
    folder = folder.absolute()
    place = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        free = shutil.disk_usage(place).free
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return DiagnosisPoint(
            name=name,
            level="fault",
            says=f"{folder} can't be written: {error.strerror}",
            remedy=ANOTHER_FOLDER[name],
            facts={"folder": str(folder), "writable": False, "free_bytes": None},
        )
    return judge_space(name, folder, free)


def judge_space(name: str, folder: Path, free: int) -> DiagnosisPoint:
    """Whether so many free bytes do for a folder that takes files.

    Example:
        >>> judge_space("results", Path("results"), 5_000_000_000).says
        'results can be written; 5.0 GB are free'
    """
    level: PointLevel = "fine"
    remedy = None
    if free < LEAST_BYTES:
        level, remedy = "fault", f"make room, or {ANOTHER_FOLDER[name]}"
    elif free < FEW_BYTES:
        level, remedy = "note", "make room before a large run"
    return DiagnosisPoint(
        name=name,
        level=level,
        says=f"{folder} can be written; {free / 1e9:,.1f} GB are free",
        remedy=remedy,
        facts={"folder": str(folder), "writable": True, "free_bytes": free},
    )
