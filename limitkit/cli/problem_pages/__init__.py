"""The page of each problem code: ``docs/problems/LKnnn.md``, which the wheel brings as ``limitkit/problems``.

The door is ``find``; ``page`` takes a page apart. May use ``config`` (for its wording).
"""
