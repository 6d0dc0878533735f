"""How pictures look."""

INK, GRID = "#334155", "#e2e8f0"


def style(name: str, font_size: float) -> dict[str, str | float]:
    """Returns Matplotlib's settings for a picture; equal names give an SVG equal ids."""
    return {
        "font.size": font_size,
        "text.color": INK,
        "axes.edgecolor": GRID,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "svg.hashsalt": name,
    }
