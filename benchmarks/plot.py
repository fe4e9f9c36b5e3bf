"""One picture: starts against time, beside the line that the limit declares."""

import matplotlib as mpl

from benchmarks.compare import BURST, RATE

SHORT = {
    "limitkit": "limitkit",
    "celery": "Celery's rate_limit",
    "page": "patterns page",
    "page-endless": "patterns page, max_retries=None",
    "heimdall": "celery-heimdall",
}


def draw(curves, path, count=500):
    """Draw each way's starts as steps into an SVG file."""
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "limitkit"  # the same picture is the same file
    from matplotlib import pyplot as plt  # noqa: PLC0415 (after the backend is chosen)

    figure, axes = plt.subplots(figsize=(9, 4.8), layout="constrained")
    full = (count - BURST) / RATE
    # The line is what the limit allows at most: it lies over the others, dashed, so that who follows it shows.
    for way, times in curves.items():
        width = 2.6 if way == "limitkit" else 1.4
        axes.step(times, range(1, len(times) + 1), where="post", label=SHORT[way], linewidth=width)
    axes.plot([0, full], [BURST, count], "k--", linewidth=1, label=f"declared: {RATE}/s, burst {BURST}", zorder=5)
    axes.set(xlabel="seconds since the first start", ylabel="starts", ylim=(0, count * 1.05), xlim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)
