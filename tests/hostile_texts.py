"""Texts that break pages, tables and terminals which take them for more than text."""

from __future__ import annotations

RUN = "window.hacked=1"

MARKUP = (
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"<!--<script>{RUN}",
    f"--><script>{RUN}</script>",
    f"<!-- data --><script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f'"><img src=x onerror="{RUN}">',
    f"'><svg onload={RUN}>",
    f'" onmouseover="{RUN}" autofocus onfocus="{RUN}',
    f"' onclick='{RUN}",
    f"</style><script>{RUN}</script>",
    f"</title><script>{RUN}</script>",
    f"</textarea></select></option><script>{RUN}</script>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'>",
    f"<iframe src=javascript:{RUN}>",
    f"javascript:{RUN}",
    f"<a href=javascript:{RUN}>a</a>",
    f"<math><mtext></p><style><img src=x onerror={RUN}></style>",
    f"<svg><script>{RUN}</script></svg>",
    f"<template><script>{RUN}</script></template>",
    "<style>*{display:none}</style>",
    "<base href=http://127.0.0.1:9/>",
    "<link rel=stylesheet href=http://127.0.0.1:9/a.css>",
    "<meta http-equiv=refresh content=0;url=http://127.0.0.1:9/>",
    "<img src=http://127.0.0.1:9/a.png>",
    "<plaintext>",
    "<noscript><p>",
    "<table><tr><td>",
    "</bdi></td></tr></table></section></main>",
    "]]>",
    "&lt;script&gt;&amp;&#x27;",
    "<b>bold</b> & co",
)
FILLED_IN = (
    "{{7*7}}",
    "{% raise x %}",
    "{# gone #}",
    "${7*7}",
    "#{7*7}",
    "{stem} {choices} {label} {text} {group}",
    "{0} {} %s %(name)s",
    "$& $1 $` \\1 \\u003cscript\\u003e",
    "__proto__",
    "constructor",
    "toString",
)
FORMULAS = ("=1+1", "+1+1", "-2+3", "@SUM(A1)", "=cmd|' /C calc'!A0", "\t=1+1", '=HYPERLINK("x")')
MARKS = (
    "abc\u202egpj.exe",
    "\u2066\u2067\u2068a\u2069",
    "\u200f\u200eright to left",
    "\u05d0\u05d1\u05d2 (A) \u0627\u0644\u0633",
    "null\x00byte",
    "\x1b[2J\x07\x9b31m",
    "line\u2028and\u2029paragraph\x85next",
    "one\r\ntwo\rthree\ttab",
    "zero\u200bwidth\ufeff",
    "e" + "\u0301" * 200,
    "\U0001f469\u200d\U0001f680",
)
BROKEN = ("half \ud800 a character", "\udc00\ud800")
LONG = ("a" * 1_000_000, "word " * 2_000)

TEXTS = MARKUP + FILLED_IN + FORMULAS + MARKS + BROKEN + LONG

NAMES = MARKUP + FILLED_IN + FORMULAS + MARKS
"""Those that can stand in a manifest, which is UTF-8, and that are not very long."""
