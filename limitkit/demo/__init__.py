"""``limitkit demo``: a real Redis, two real workers, and what was declared against what was achieved."""
