"""How figures look: colours that the colour-blind tell apart, one per recipe, on light and dark pages alike."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dareps.suite._results import CHOSEN, SOURCE_ONLY, TARGET_ONLY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette (Wong, Nature Methods 2011), yellow darkened: it is too pale for lines on white;
# its black is the page's own ink, so a wine red stands in for an eighth recipe.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A800", "#882255")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
SOURCE_COLOUR, TARGET_COLOUR = "#0072B2", "#D55E00"

# Stand-ins that become the page's own colours, so that a figure follows its light or dark scheme.
INK, FAINT, PAPER, SOFT = "#123456", "#123457", "#123458", "#123459"
GREY = "#8C8C8C"
_PAGE = {
    INK: "currentColor",
    FAINT: "var(--faint)",
    PAPER: "var(--paper)",
    SOFT: "var(--soft)",
    # The two darkest colours of the palette are lighter on a dark page.
    "#0072B2": "var(--blue)",
    "#882255": "var(--wine)",
}
_RC = {
    "svg.fonttype": "none",
    "font.size": 10.0,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10.0,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "grid.color": FAINT,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "legend.labelcolor": INK,
    "text.color": INK,
    "xtick.color": FAINT,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 9.5,
    "ytick.color": FAINT,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 9.5,
}


@dataclass(frozen=True, slots=True)
class Look:
    """A recipe's colour and marker."""

    colour: str
    marker: str


def looks(recipes: Sequence[str]) -> dict[str, Look]:
    """A look per recipe, the same wherever the same recipes are shown; markers change when colours run out."""
    fixed = {SOURCE_ONLY: Look(GREY, "<"), TARGET_ONLY: Look(SOFT, ">"), CHOSEN: Look(INK, "*")}
    methods = sorted(set(recipes) - fixed.keys())
    count = len(PALETTE)
    return {
        **{name: Look(PALETTE[i % count], MARKERS[(i + i // count) % len(MARKERS)]) for i, name in enumerate(methods)},
        **fixed,
    }


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib's settings for the figures drawn inside."""
    import matplotlib as mpl

    with mpl.rc_context(_RC):  # type: ignore[arg-type]
        yield


def svg(figure: Figure, name: str) -> str:
    """The figure as an inline SVG element, deterministic, scalable, in the page's colours and font.

    Args:
        figure: Drawn inside `styled`.
        name: Unique on the page: ids inside the element derive from it.
    """
    import matplotlib as mpl

    with styled(), mpl.rc_context({"svg.hashsalt": name}):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None}, dpi=160)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"font: ([^;\"]*?px) [^;\"]*", r"font: \1 var(--font)", text)
    # Names of groups and glyphs repeat from figure to figure.
    text = re.sub(r'( id="|xlink:href="#|url\(#)', rf"\1{name}-", text)
    # Without a size of its own the element takes the page's width and keeps its proportions.
    names = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
    text = re.sub(r'(?<=<svg)[^>]*?(viewBox="[^"]*")[^>]*', rf" \1 {names}", text, count=1)
    return page_colours(text).strip()


def page_colours(text: str) -> str:
    """The text with each colour that depends on the page's scheme in the page's own words."""
    for colour, own in _PAGE.items():
        text = re.sub(colour, own, text, flags=re.IGNORECASE)
    return text
