"""The picture of a gallery: docs/gallery.webp, of a rehearsal of the README's example.

    python tests/docs/gallery_picture.py

In: `kiejobs run` and `kiejobs gallery`. Out: a screenshot. Touches that file, a temporary folder, a Chromium. Needs the
extra `media`, whose cards stand in for clips.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.chromium import Visitor, launched

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "gallery.webp"
_KEYS = ("p", "x", "Home", "ArrowDown", "o")


def drawing() -> bytes:
    """A rehearsal, its gallery, two decisions, details of a clip: a few seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "jobfiles", folder / "jobfiles")
        for words in (("run", "--yes", "--speed", "400"), ("gallery",)):
            command = [
                sys.executable,
                "-m",
                "kiejobs",
                words[0],
                "jobfiles/espresso.yaml",
                "--sandbox",
                *words[1:],
            ]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
        with launched() as browser:
            page = Visitor(browser).open(
                (folder / "rehearsal/gallery/index.html").as_uri(),
                width=1360,
                height=800,
                color_scheme="dark",
            )
            for key in _KEYS:
                page.keyboard.press(key)
            page.wait_for_load_state("networkidle")
            shot = Image.open(io.BytesIO(page.screenshot()))
    made = io.BytesIO()
    shot.convert("RGB").save(made, "WEBP", quality=82, method=6)
    return made.getvalue()


if __name__ == "__main__":
    PICTURE.write_bytes(drawing())
