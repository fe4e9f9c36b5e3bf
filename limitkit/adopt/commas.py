"""Lists without some of their items: commas, line breaks and comments of what stays are as before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Items:
    """What is left of a list."""

    items: list[Any]
    before: Any
    """The white space before the first item."""
    closing: Any = None
    """White space that belongs before the closing brace of a dict."""


def without(
    original: Sequence[Any], updated: Sequence[Any], wanted: Mapping[cst.CSTNode, cst.CSTNode | None], before: Any
) -> Items | None:
    """Take arguments or elements out of a list; None if none of them goes.

    All comments stay: that behind an item which goes gets a line of its own.
    """
    kept: list[Any] = []
    closing = None
    for old, new in zip(original, updated, strict=True):
        if old not in wanted:
            kept.append(new)
        elif not kept:
            before = merged(before, _space_after(new), first=True)
        else:
            at_end = old is original[-1]
            space = merged(_space_after(kept[-1]), _space_after(new), at_end=at_end)
            kept[-1], closing = _followed(kept[-1], space, new.comma, at_end=at_end)
    return Items(kept, before, closing) if len(kept) < len(original) else None


def merged(before: Any, gone: Any, *, first: bool = False, at_end: bool = False) -> Any:
    """Join the white space on both sides of an item that goes."""
    if not isinstance(gone, cst.ParenthesizedWhitespace):
        if isinstance(before, cst.ParenthesizedWhitespace):
            return gone if at_end and not has_comment(before) else before
        return before if first else gone
    gone = gone.with_changes(empty_lines=[*_on_its_own_line(gone, before), *gone.empty_lines])
    lines = [line for line in gone.empty_lines if line.comment is not None]
    if isinstance(before, cst.ParenthesizedWhitespace):
        lines = [*before.empty_lines, *lines]
        return before.with_changes(empty_lines=lines, indent=gone.indent, last_line=gone.last_line)
    if first and not lines:
        return before
    return gone.with_changes(first_line=gone.first_line.with_changes(comment=None, whitespace=cst.SimpleWhitespace("")))


def _on_its_own_line(space: cst.ParenthesizedWhitespace, before: Any) -> list[cst.EmptyLine]:
    """Return the comment behind an item as a line that is indented as the item was."""
    comment = space.first_line.comment
    like = before if isinstance(before, cst.ParenthesizedWhitespace) else space
    return [] if comment is None else [cst.EmptyLine(like.indent, like.last_line, comment)]


def has_comment(space: Any) -> bool:
    """Whether there is a comment in white space."""
    if not isinstance(space, cst.ParenthesizedWhitespace):
        return False
    return space.first_line.comment is not None or any(line.comment is not None for line in space.empty_lines)


def _space_after(item: Any) -> Any:
    if isinstance(item.comma, cst.Comma):
        return item.comma.whitespace_after
    return item.whitespace_after_arg if isinstance(item, cst.Arg) else cst.SimpleWhitespace("")


def _followed(item: Any, space: Any, comma: Any, *, at_end: bool) -> tuple[Any, Any]:
    """Put white space behind an item, with a comma or without one, as what went had it.

    At the end of a dict, the white space is the brace's: it is returned.
    """
    if isinstance(comma, cst.Comma) and at_end and not isinstance(item, cst.Arg):
        return item.with_changes(comma=comma.with_changes(whitespace_after=cst.SimpleWhitespace(""))), space
    if isinstance(comma, cst.Comma):
        return item.with_changes(comma=comma.with_changes(whitespace_after=space)), None
    if isinstance(item, cst.Arg):
        return item.with_changes(comma=cst.MaybeSentinel.DEFAULT, whitespace_after_arg=space), None
    return item.with_changes(comma=cst.MaybeSentinel.DEFAULT), space
