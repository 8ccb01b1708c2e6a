"""What the reference makes of docstrings: `Example:` here is `Examples:` for Griffe."""

from __future__ import annotations

import re
from typing import Any

import griffe

HEADING = re.compile(r"^Example:$", re.MULTILINE)


class ExampleSections(griffe.Extension):
    """Has examples read as code, not as a remark."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rename the heading in one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = HEADING.sub("Examples:", obj.docstring.value)
