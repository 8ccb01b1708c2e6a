"""A chart as SVG that can stand within a page: small, of one piece, and the same each time.

Words stay text, which can be searched and copied, and which a browser can show where our font lacks
a letter. There is no style sheet and no style attribute, so that a strict Content-Security-Policy
lets it pass, and no id that another chart on the page has.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from evalkit.reports.charts.page import frame
from evalkit.reports.charts.themes import LIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from evalkit.reports.charts.chart import Chart

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"

FAMILY = "DejaVu Sans, Verdana, Arial, sans-serif"
"""The fonts to look for; those behind the first are no wider."""

REFERENCE = re.compile(r"url\(#([^)]+)\)")
LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
PIXELS_PER_POINT = 96 / 72

ANCHORS = {"left": "start", "center": "middle", "right": "end"}


def render_svg(chart: Chart, theme: Theme = LIGHT, *, framed: bool = False) -> str:
    """A chart as an `<svg>` element, without an XML declaration.

    Args:
        chart: what to draw.
        theme: its colours.
        framed: whether title and caption are drawn too; in a page they are better left to it.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = chart.draw(theme)
    if framed:
        frame(figure, theme, chart.title, chart.caption)
    root = ElementTree.fromstring(draw_svg(figure))
    tidy(root, f"{chart.name}-{theme.name}")
    root.set("aria-label", f"{chart.title}. {chart.alt}")
    return ElementTree.tostring(root, encoding="unicode")


def draw_svg(figure: Figure) -> str:
    """A figure as matplotlib writes it, but for its words."""
    from matplotlib.backends import backend_svg

    class Renderer(backend_svg.RendererSVG):  # type: ignore[no-untyped-call,misc,unused-ignore]
        """Writes words as text whatever the user's settings say of that."""

        def draw_text(
            self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float,
            ismath: Any = False, mtext: Any = None,
        ) -> None:  # fmt: skip
            """Write one line, at the anchor that it has on the figure."""
            writer: Any = self.writer
            size, attributes = prop.get_size(), {"text-anchor": "start"}
            if angle == 0 and mtext is not None:
                x, _ = mtext.get_transform().transform(mtext.get_unitless_position())
                attributes["text-anchor"] = ANCHORS[mtext.get_ha()]
            if angle:
                attributes["transform"] = f"translate({x:.2f} {y:.2f}) rotate({-angle:g})"
            else:
                attributes |= {"x": f"{x:.2f}", "y": f"{y:.2f}"}
            if prop.get_weight() == "bold":
                attributes["font-weight"] = "bold"
            attributes |= {"font-size": f"{size:g}", "fill": to_hex(gc.get_rgb())}
            words = s if mtext is None else mtext.get_label()
            writer.element("text", words, attrib=attributes)

    figure.set_dpi(72)
    file = io.StringIO()
    width, height = (72 * side for side in figure.get_size_inches())
    make: Any = Renderer
    renderer = make(width, height, file, metadata={"Date": None})
    figure.draw(renderer)
    renderer.finalize()
    return file.getvalue()


def to_hex(rgb: tuple[float, ...]) -> str:
    """A colour of matplotlib as #rrggbb."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb[:3])


def tidy(root: ElementTree.Element, prefix: str) -> None:
    """Take out what is of no use or not allowed in a page, and give ids names of their own.

    Args:
        root: of a drawing by matplotlib.
        prefix: of its ids.
    """
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{SVG}metadata", f"{SVG}style"):
                parent.remove(child)
    for element in root.iter():
        for part in element.attrib.pop("style", "").split(";"):
            name, colon, value = part.partition(":")
            if colon:
                element.set(name.strip(), value.strip())
        if LINK in element.attrib:
            element.set("href", element.attrib.pop(LINK))
    name_ids(root, prefix)
    flatten(root)
    for element in root.iter():
        element.tag = element.tag.removeprefix(SVG)
        element.text = element.text if element.tag == "text" else None
        element.tail = None
        for name, value in element.attrib.items():
            element.set(name, LONG_NUMBER.sub(shorten_number, value))
    _, _, width, height = root.get("viewBox", "0 0 0 0").split()
    root.attrib.clear()
    root.attrib.update(
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width} {height}",
            "width": f"{float(width) * PIXELS_PER_POINT:.0f}",
            "height": f"{float(height) * PIXELS_PER_POINT:.0f}",
            "role": "img",
            "font-family": FAMILY,
            "stroke-linejoin": "round",
            "stroke-linecap": "butt",
        }
    )


def shorten_number(found: re.Match[str]) -> str:
    """A number with the digits that can be seen."""
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")


def name_ids(root: ElementTree.Element, prefix: str) -> None:
    """Number the ids that are referred to, in the order in which they come, and drop the rest."""
    used = {
        name
        for element in root.iter()
        for value in element.attrib.values()
        for name in [*REFERENCE.findall(value), *([value[1:]] if value.startswith("#") else [])]
    }
    ids = [element.get("id") for element in root.iter()]
    names = {old: f"{prefix}-{n}" for n, old in enumerate(each for each in ids if each in used)}
    for element in root.iter():
        own = element.attrib.pop("id", None)
        if own in names:
            element.set("id", names[own])
        for key, value in element.attrib.items():
            if key == "href":
                element.set(key, f"#{names[value[1:]]}")
            elif "url(#" in value:
                element.set(key, REFERENCE.sub(lambda found: f"url(#{names[found[1]]})", value))


def flatten(parent: ElementTree.Element) -> None:
    """Put the children of groups that say nothing in the place of the groups."""
    children: list[ElementTree.Element] = []
    for child in list(parent):
        flatten(child)
        is_bare = child.tag == f"{SVG}g" and not child.attrib
        children += list(child) if is_bare else [child]
        parent.remove(child)
    parent.extend(children)
