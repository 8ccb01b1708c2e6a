"""What every way of asking needs to know of the model it asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evalkit.images import Image
from evalkit.models.model import Capabilities
from evalkit.prompts import Prompt, PromptFormat
from evalkit.prompts import Turn as Example

Turn = dict[str, Any]
Thought = Literal["api", "text"]
"""How a model thinks before it answers: by the API's thinking, or in words of its reply."""

MAX_TOKENS_THINKING = 4096
"""Room for a model that thinks first, whatever it is told; thinking counts as output."""

LEAST_THINKING = 1024
"""The smallest budget that the API gives to a model's thinking."""

LOW = "low"
"""The effort for a model that can't be kept from thinking where nobody asked it to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """The model, by the name its endpoint knows, and how it is to be asked."""

    model: str
    capabilities: Capabilities
    temperature: float | None = 0.0
    """0 to 1; sent only where the model takes it. None: the endpoint's own."""
    effort: str | None = None
    """The level of `output_config.effort`; None: the endpoint's own, or low for a model that can't
    be kept from thinking."""
    thought: Thought = "api"
    """How `reasoned` has a model think: by the API's thinking where there is such, or in words."""
    max_tokens: int | None = None
    """Room for a reply; None: what the way of asking needs."""
    stop_sequences: tuple[str, ...] = ()

    def plain_fields(self, max_tokens: int) -> dict[str, Any]:
        """The fields of a request that says nothing about thinking.

        Args:
            max_tokens: room for the reply, unless the user wants another.
        """
        fields: dict[str, Any] = {"model": self.model, "max_tokens": self.max_tokens or max_tokens}
        if self.stop_sequences:
            fields["stop_sequences"] = list(self.stop_sequences)
        # An endpoint that we don't know gets a temperature: llama.cpp samples at 0.8 without.
        if self.temperature is not None and self.capabilities.temperature is not False:
            fields["temperature"] = self.temperature
        return fields

    def answering_fields(self, max_tokens: int) -> dict[str, Any]:
        """The fields of a request that is to be answered at once, as far as the model can."""
        can = self.capabilities
        effort = self.effort or (LOW if can.may_think else None)
        fields = self.plain_fields(
            max(max_tokens, MAX_TOKENS_THINKING) if can.may_think else max_tokens
        )
        if can.no_thinking is not None:
            fields["thinking"] = can.no_thinking
        return {**fields, **self._effort_field(effort)}

    def thinking_fields(self, max_tokens: int) -> dict[str, Any]:
        """The fields of a request that has the API think first; a model that does is not sampled.

        Args:
            max_tokens: room for thoughts and reply.
        """
        fields = self.plain_fields(max_tokens)
        fields.pop("temperature", None)
        if self.capabilities.think_on == "enabled":
            budget = max(LEAST_THINKING, fields["max_tokens"] * 3 // 4)
            fields["thinking"] = {"type": "enabled", "budget_tokens": budget}
        else:
            fields["thinking"] = {"type": "adaptive"}
        return {**fields, **self._effort_field(self.effort)}

    def _effort_field(self, effort: str | None) -> dict[str, Any]:
        """The effort, unless the model takes none."""
        if effort is None or self.capabilities.efforts == ():
            return {}
        return {"output_config": {"effort": effort}}


def user(text: str, images: Sequence[Image] = ()) -> Turn:
    """A turn of the user's: pictures first, numbered if there are several, then the text."""
    if not images:
        return {"role": "user", "content": text}
    blocks: list[Turn] = []
    for number, image in enumerate(images, 1):
        if len(images) > 1:
            blocks.append(text_block(f"Image {number}:"))
        blocks.append(image_block(image))
    return {"role": "user", "content": [*blocks, text_block(text)]}


def question_turns(asked: Prompt | Example) -> list[Turn]:
    """The turns that end with a question: those of the conversation before it, then its own."""
    earlier = [{"role": role, "content": text} for role, text in asked.history]
    return [*earlier, user(asked.question, asked.images)]


def assistant(text: str) -> Turn:
    """A turn of the model's."""
    return {"role": "assistant", "content": text}


def text_block(text: str) -> Turn:
    """A block of text."""
    return {"type": "text", "text": text}


def image_block(image: Image) -> Turn:
    """A picture by its digest; where it is sent from is settled when it is sent.

    So a request has the same id however its pictures travel.
    """
    return {"type": "image", "source": {"type": "digest", "sha256": image.digest}}


def system_field(form: PromptFormat, instruction: str = "") -> Mapping[str, Any]:
    """The `system` field: the format's text, or its texts as blocks, then the instruction.

    Texts that are empty are left out; without any there is no field.
    """
    texts = [form.system] if isinstance(form.system, str) else list(form.system)
    texts = [text for text in (*texts, instruction) if text.strip()]
    if not texts:
        return {}
    if isinstance(form.system, str):
        return {"system": "\n\n".join(texts)}
    return {"system": [text_block(text) for text in texts]}
