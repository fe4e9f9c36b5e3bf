"""Reads manifests: the part of YAML that the examples use, and nothing else; tests have no library for all of it.

Maps and lists by indentation, plain and "double-quoted" scalars, JSON's lists in brackets, blocks behind ``|``.
"""

import json
import re

_KEY = re.compile(r"([A-Za-z][\w./-]*):(?: (.*))?$")
_COMMENT = re.compile(r"(^|\s)#.*$")
_PLAIN = re.compile(r"\d+[a-z]*$|/|(?!(?:yes|no|on|off|null|y|n)$)[A-Za-z]", re.IGNORECASE)


def manifests(text):
    """Return the documents of a file."""
    return [_Reader(part).document() for part in re.split(r"^---\n", text, flags=re.MULTILINE)]


class _Reader:
    def __init__(self, text):
        self._lines = text.rstrip("\n").split("\n")
        self._at = 0

    def document(self):
        found = self._node(0)
        assert self._next() is None, self._lines[self._at]
        return found

    def _next(self):
        """Return the indentation of the next line that says something, and what it says."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            assert "\t" not in line, line
            said = _COMMENT.sub("", line).rstrip() if '"' not in line else line.rstrip()
            if said.strip():
                return len(said) - len(said.lstrip()), said.strip()
            self._at += 1
        return None

    def _node(self, indent):
        _, said = self._next()
        return self._list(indent) if said.startswith("- ") else self._map(indent)

    def _list(self, indent):
        found = []
        while (line := self._next()) and line[0] == indent and line[1].startswith("- "):
            if _KEY.match(line[1][2:]):  # the item is a map that begins behind the dash
                self._lines[self._at] = self._lines[self._at].replace("- ", "  ", 1)
                found.append(self._map(indent + 2))
            else:
                self._at += 1
                found.append(_scalar(line[1][2:]))
        assert line is None or line[0] < indent, line
        return found

    def _map(self, indent):
        found = {}
        while (line := self._next()) and line[0] == indent and (key := _KEY.match(line[1])):
            name, said = key.groups()
            assert name not in found, name
            self._at += 1
            if said == "|":
                found[name] = self._block(indent + 2)
            elif said is not None:
                found[name] = _scalar(said)
            else:
                below, _ = self._next()
                assert below == indent + 2, line
                found[name] = self._node(below)
        assert line is None or line[0] < indent, line
        return found

    def _block(self, indent):
        kept = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.strip() and not line.startswith(" " * indent):
                break
            kept.append(line[indent:])
            self._at += 1
        return "\n".join(kept).rstrip("\n") + "\n"


def _scalar(said):
    if said[0] in '"[':
        return json.loads(said)  # raises for what follows, a comment too
    assert _PLAIN.match(said), f"{said} must be quoted"
    assert not re.search(r": |:$", said), f"{said} must be quoted"
    if said in {"true", "false"}:
        return said == "true"
    return int(said) if said.isdigit() else said
