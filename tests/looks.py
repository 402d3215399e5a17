"""Pages held against small pictures in data/looks, which somebody looked at.

A picture is of grey levels, small: where things stand, not how letters look.
"""

import base64
import io
from pathlib import Path

import pytest

LOOKS = Path(__file__).parent / "data" / "looks"
FAR = 14.0
"""Mean difference of grey levels, of 255, from which a page no longer looks as it did; other fonts make about 4."""
SIZES = {"desktop": (1400, 900), "phone": (390, 844)}


def themed(tab, theme):
    """What the tab opens next is light or dark."""
    tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])


def picture(tab):
    """What the tab shows, as 70 x 45 (phone: 39 x 84) grey levels."""
    image = pytest.importorskip("PIL.Image")
    shot = image.open(io.BytesIO(base64.b64decode(tab.call("Page.captureScreenshot", format="png")["data"])))
    part = 20 if shot.width > 500 else 10
    return shot.convert("L").resize((shot.width // part, shot.height // part), image.Resampling.BOX)


def assert_as_before(name, now):
    """Fails where a picture is far from the one that is kept under its name."""
    then = pytest.importorskip("PIL.Image").open(LOOKS / f"{name}.png")
    assert now.size == then.size
    pairs = list(zip(now.tobytes(), then.tobytes(), strict=True))
    assert sum(abs(a - b) for a, b in pairs) / len(pairs) < FAR


def keep(name, now):
    """Writes a picture; call it after looking at the page."""
    now.save(LOOKS / f"{name}.png", optimize=True)
