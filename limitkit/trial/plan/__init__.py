"""What changes between two files: what ``limitkit plan`` says, by meaning and not by text.

``compare`` is the door: two configs in, a ``Plan`` of ``changes`` out, those that let more through first. May use what
``trial`` may; it needs neither Celery nor a store.
"""
