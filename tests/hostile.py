"""Fifty texts that break what does not take texts for what they are."""

from __future__ import annotations

HOSTILE = (
    # markup
    "<script>window.ran=1</script>",
    "</script><script>window.ran=1</script>",
    "<!--<script>",
    "--><img src=x onerror=window.ran=1>",
    '"><svg onload=window.ran=1>',
    "' onmouseover='window.ran=1",
    "<a href='javascript:window.ran=1'>x</a>",
    "<style>*{display:none}</style>",
    "<iframe src='https://example.org'></iframe>",
    "<b>bold</b> &amp; &#60;i&#62;",
    "]]><x/>",
    "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'b'>]>&a;",
    "{{7*7}} {% raw %} {# x #}",
    "${7*7} #{7*7} %(x)s {0}",
    # formulas
    "=1+1",
    '=HYPERLINK("https://example.org","x")',
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(1+1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "＝1+1",
    "|calc",
    "%0A=1",
    # Markdown and TeX
    "| a | b |\n|---|---|",
    "[x](https://example.org) ![y](https://example.org)",
    "# Head\n- list\n> quotation",
    "`code` ```\nfence",
    "*a* __b__ ~~c~~ @someone #1",
    "$x^2$ \\input{/etc/hostname}",
    "\\end{table} % & _ # { } ~ ^",
    "[",
    # directions, controls, half characters
    "\u202egnp.exe\u202c",
    "\u2066a\u2067b\u2069",
    "a\u200bb\ufeffc",
    "\x00",
    "a\x00b",
    "\x1b[2J\x1b[31mred",
    "\x7f\x85\x9b",
    "\ud800",
    "a\udfffb",
    "\ufffe\uffff",
    "line\u2028separator\u2029paragraph",
    "e\u0301\u0301\u0301\u0301\u0301",
    "👩‍👩‍👧‍👦 哪个 مرحبا",
    # sizes
    "",
    " ",
    "x" * 1_000_000,
)
"""For every field that comes from a question set, a model or a user."""
