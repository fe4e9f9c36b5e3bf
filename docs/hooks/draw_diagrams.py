"""Draws the Mermaid diagrams of the pages for the site: ``make diagrams``, with npm and Chromium.

GitHub draws them by itself. The site shows drawings: Mermaid's three megabytes are too much for a few pictures. A
drawing is named by a hash of its text; without a drawing of its present text, a page shows the text.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

DOCS = Path(__file__).parents[1]
FOLDER = DOCS / "assets" / "diagrams"
FENCE = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MERMAID = "mermaid@11"
PAGE = """\
<!doctype html><meta charset="utf-8"><body><pre id="drawn"></pre><script src="package/dist/mermaid.min.js"></script>
<script>
const texts = %s;
mermaid.initialize({startOnLoad: false, theme: "neutral", fontFamily: "system-ui, sans-serif"});
(async () => {
  const drawn = {};
  for (const [name, text] of Object.entries(texts)) {
    const holder = document.createElement("div");
    holder.innerHTML = (await mermaid.render(`diagram-${name}`, text)).svg;
    drawn[name] = new XMLSerializer().serializeToString(holder.firstChild);
  }
  document.getElementById("drawn").textContent = JSON.stringify(drawn);
})();
</script>
"""


def drawing(text: str) -> Path:
    """Return where the drawing of a diagram is, if there is one."""
    return FOLDER / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.svg"


def _draw(texts: dict[str, str], folder: Path) -> dict[str, str]:
    subprocess.run(["npm", "pack", "--silent", MERMAID], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    shutil.unpack_archive(next(folder.glob("mermaid-*.tgz")), folder)
    (folder / "page.html").write_text(PAGE % json.dumps(texts), encoding="utf-8")
    told = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--window-size=1200,2000"]
    chromium = ["chromium", *told, f"--user-data-dir={folder / 'profile'}", "--dump-dom", str(folder / "page.html")]
    page = subprocess.run(chromium, capture_output=True, text=True, check=True).stdout
    found = re.search(r'<pre id="drawn">(.*?)</pre>', page, re.DOTALL)
    drawn: dict[str, str] = json.loads(html.unescape(found[1] if found else "{}"))
    return drawn


def main() -> None:
    """Draw all diagrams that have no drawing, and remove drawings that belong to none."""
    texts = [text for page in sorted(DOCS.rglob("*.md")) for text in FENCE.findall(page.read_text(encoding="utf-8"))]
    missing = {drawing(text).stem: text for text in texts if not drawing(text).exists()}
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in {*FOLDER.glob("*.svg")} - {drawing(text) for text in texts}:
        old.unlink()
    if missing:
        with tempfile.TemporaryDirectory() as folder:
            for name, svg in _draw(missing, Path(folder)).items():
                (FOLDER / f"{name}.svg").write_text(f"{svg}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
