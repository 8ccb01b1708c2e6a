"""The models that the test server serves, with what each accepts.

Written from the documentation, independently of evalkit's own catalogue, so that the two check
each other. `claude-mythos-preview` is missing on purpose: its end of life has passed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Json = dict[str, Any]
Line = Literal["haiku", "sonnet", "opus", "fable", "mythos"]
ThinkingType = Literal["adaptive", "enabled", "disabled", "between_tools"]

THINKING_TYPES: Final[tuple[ThinkingType, ...]] = (
    "adaptive",
    "enabled",
    "disabled",
    "between_tools",
)
EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """One model and the rules that requests for it must keep."""

    id: str
    alias: str
    """The id without its date; the same as the id from 4.6 on."""
    line: Line
    created: str
    """Day of release, as far as it is known; the list is sorted by it."""
    prefill: bool = False
    sampling: bool = False
    """Whether temperature, top_p, and top_k are taken under version 2023-06-01."""
    one_sampling_field: bool = False
    """Whether temperature and top_p exclude each other."""
    forced_tool_choice: bool = True
    thinks_unasked: bool = False
    """Whether a request without `thinking` thinks."""
    thinking_types: tuple[ThinkingType, ...] = ("adaptive",)
    efforts: tuple[str, ...] = EFFORTS
    thinkless_up_to_high: bool = False
    """Whether thinking can be switched off at effort low, medium, and high only."""
    shows_thinking: bool = False
    """Whether `thinking.display` defaults to summarized."""
    context_tokens: int = 1_000_000
    max_output_tokens: int = 128_000
    retires: str | None = None

    @property
    def display_name(self) -> str:
        """The name for people, such as "Claude Haiku 4.5"."""
        _, line, *version = self.alias.split("-")
        return f"Claude {line.title()} {'.'.join(version)}"

    @property
    def lifecycle(self) -> Literal["active", "deprecated"]:
        """Whether its end is known."""
        return "active" if self.retires is None else "deprecated"

    @property
    def newer_tokenizer(self) -> bool:
        """Whether it is of 4.7 or later, which see texts in smaller pieces, images in more."""
        return not self.sampling


def _with_prefill(
    line: Line, date: str, efforts: tuple[str, ...], retires: str | None = None
) -> ServedModel:
    alias = f"claude-{line}-4-5"
    return ServedModel(
        id=f"{alias}-{date}",
        alias=alias,
        line=line,
        created=f"{date[:4]}-{date[4:6]}-{date[6:]}",
        prefill=True,
        sampling=True,
        one_sampling_field=True,
        thinking_types=("enabled", "disabled"),
        efforts=efforts,
        shows_thinking=True,
        context_tokens=200_000,
        max_output_tokens=64_000,
        retires=retires,
    )


def _of_4_6(line: Line, created: str) -> ServedModel:
    return ServedModel(
        id=f"claude-{line}-4-6",
        alias=f"claude-{line}-4-6",
        line=line,
        created=created,
        sampling=True,
        thinking_types=("adaptive", "enabled", "disabled"),
        efforts=("low", "medium", "high", "max"),
        shows_thinking=True,
    )


def _quiet(line: Line, version: str, created: str) -> ServedModel:
    name = f"claude-{line}-{version}"
    return ServedModel(
        id=name, alias=name, line=line, created=created, thinking_types=("adaptive", "disabled")
    )


def _thinking(
    line: Line,
    version: str,
    created: str,
    *,
    off_switch: ThinkingType | None = None,
    thinkless_up_to_high: bool = False,
    forced_tool_choice: bool = True,
) -> ServedModel:
    name = f"claude-{line}-{version}"
    return ServedModel(
        id=name,
        alias=name,
        line=line,
        created=created,
        forced_tool_choice=forced_tool_choice,
        thinks_unasked=True,
        thinking_types=("adaptive",) if off_switch is None else ("adaptive", off_switch),
        thinkless_up_to_high=thinkless_up_to_high,
    )


def _fable_or_mythos(line: Line) -> tuple[ServedModel, ...]:
    return (
        _thinking(line, "5", "2026-06-09"),
        _thinking(line, "5-1", "2026-09-01", forced_tool_choice=False),
        _thinking(line, "5-2", "2026-11-09", forced_tool_choice=False),
    )


MODELS: Final[tuple[ServedModel, ...]] = (
    _with_prefill("haiku", "20251001", efforts=()),
    _with_prefill("opus", "20251101", efforts=("low", "medium", "high")),
    _with_prefill("sonnet", "20250929", efforts=(), retires="2026-11-30"),
    _of_4_6("sonnet", "2026-02-17"),
    _of_4_6("opus", "2026-02-05"),
    _quiet("opus", "4-7", "2026-04-16"),
    _quiet("opus", "4-8", "2026-05-28"),
    _thinking("sonnet", "5", "2026-06-30", off_switch="disabled"),
    _thinking("opus", "5", "2026-07-24", off_switch="disabled", thinkless_up_to_high=True),
    _thinking("haiku", "5-5", "2026-10-07", off_switch="disabled", thinkless_up_to_high=True),
    _thinking(
        "sonnet",
        "5-5",
        "2026-09-28",
        off_switch="between_tools",
        thinkless_up_to_high=True,
        forced_tool_choice=False,
    ),
    _thinking("opus", "5-5", "2026-09-22", forced_tool_choice=False),
    *_fable_or_mythos("fable"),
    *_fable_or_mythos("mythos"),
)
_BY_NAME: Final = {name: model for model in MODELS for name in (model.id, model.alias)}


def find_model(name: str) -> ServedModel | None:
    """The model of that id or alias."""
    return _BY_NAME.get(name)


def third_party_model(name: str) -> ServedModel:
    """A model of any name that takes everything, as third-party servers have it."""
    return ServedModel(
        id=name,
        alias=name,
        line="haiku",
        created="2026-01-01",
        prefill=True,
        sampling=True,
        thinking_types=THINKING_TYPES,
    )


def model_info(model: ServedModel, *, newer_fields: bool = True) -> Json:
    """The model as `GET /v1/models/{id}` describes it.

    Args:
        model: the model.
        newer_fields: False leaves out what the documentation of August 2026 did not have.
    """
    info: Json = {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": f"{model.created}T00:00:00Z",
        "max_input_tokens": model.context_tokens,
        "max_tokens": model.max_output_tokens,
        "capabilities": _capabilities(model, newer_fields=newer_fields),
    }
    if newer_fields:
        retires_at = None if model.retires is None else f"{model.retires}T00:00:00Z"
        info |= {
            "lifecycle": model.lifecycle,
            "deprecated_at": None if model.retires is None else "2026-09-30T00:00:00Z",
            "retires_at": retires_at,
            "line": model.line,
        }
    return info


def _capabilities(model: ServedModel, *, newer_fields: bool) -> Json:
    named = ("batch", "citations", "code_execution", "image_input", "pdf_input")
    shown = THINKING_TYPES if newer_fields else THINKING_TYPES[:2]
    capabilities: Json = {name: _supported(True) for name in (*named, "structured_outputs")}
    capabilities["effort"] = _supported(bool(model.efforts)) | {
        effort: _supported(effort in model.efforts) for effort in EFFORTS
    }
    capabilities["thinking"] = _supported(True) | {
        "types": {kind: _supported(kind in model.thinking_types) for kind in shown}
    }
    capabilities["context_management"] = _supported(True)
    if newer_fields:
        tools = {tool: _supported(True) for tool in ("web_search", "code_execution")}
        capabilities["server_tools"] = _supported(True) | tools
    return capabilities


def _supported(supported: bool) -> Json:
    return {"supported": supported}


def list_models(query: Mapping[str, Sequence[str]], *, newer_fields: bool = True) -> list[Json]:
    """All models that a query of `GET /v1/models` asks for; newest release first.

    Args:
        query: its `lifecycle[]`, checked already, decides.
        newer_fields: as for `model_info`.
    """
    newest_first = sorted(MODELS, key=lambda model: model.created, reverse=True)
    stages = query.get("lifecycle[]", ("active", "deprecated"))
    return [
        model_info(model, newer_fields=newer_fields)
        for model in newest_first
        if model.lifecycle in stages
    ]
