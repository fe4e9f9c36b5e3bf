"""Takes nodes out of a module, and leaves all else as it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import libcst as cst

from limitkit.adopt.commas import has_comment, merged, without
from limitkit.adopt.tasks import is_factory

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from limitkit.adopt.found import Edit
    from limitkit.adopt.source import Source


def rewritten(source: Source, edits: Iterable[Edit]) -> bytes:
    """Return a module's bytes without the nodes that edits take out, or with others in their place."""
    wanted = {edit.node: edit.new for edit in edits}
    changed = source.tree.visit(_Rewriter(source, wanted))
    return changed.bytes if isinstance(changed, cst.Module) else source.content


class _Rewriter(cst.CSTTransformer):
    """Each node decides about its own children: it alone can mend the commas and the empty block."""

    def __init__(self, source: Source, wanted: dict[cst.CSTNode, cst.CSTNode | None]) -> None:
        super().__init__()
        self._source, self._wanted = source, wanted
        self._around = {around for node in wanted for around in source.above(node)}

    def on_visit(self, node: cst.CSTNode) -> bool:
        return node in self._around

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:  # noqa: N802
        list_ = without(original_node.args, updated_node.args, self._wanted, updated_node.whitespace_before_args)
        if list_ is None:
            return updated_node
        updated_node = updated_node.with_changes(args=list_.items, whitespace_before_args=list_.before)
        if list_.items or has_comment(list_.before):
            return updated_node
        updated_node = updated_node.with_changes(whitespace_before_args=cst.SimpleWhitespace(""))
        is_decorator = isinstance(self._source.parents.get(original_node), cst.Decorator)
        return updated_node.func if is_decorator and is_factory(self._source, original_node.func) else updated_node

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:  # noqa: N802
        bases = [self._wanted.get(old) or new for old, new in zip(original_node.bases, updated_node.bases, strict=True)]
        return updated_node.with_changes(bases=bases) if self._wanted.keys() & {*original_node.bases} else updated_node

    def leave_Dict(self, original_node: cst.Dict, updated_node: cst.Dict) -> cst.Dict:  # noqa: N802
        opened, closed = updated_node.lbrace, updated_node.rbrace
        list_ = without(original_node.elements, updated_node.elements, self._wanted, opened.whitespace_after)
        if list_ is None:
            return updated_node
        if list_.closing is not None:
            closed = closed.with_changes(whitespace_before=merged(list_.closing, closed.whitespace_before, at_end=True))
        before = list_.before if list_.items or has_comment(list_.before) else cst.SimpleWhitespace("")
        opened = opened.with_changes(whitespace_after=before)
        if not list_.items and not has_comment(closed.whitespace_before):
            closed = closed.with_changes(whitespace_before=cst.SimpleWhitespace(""))
        return updated_node.with_changes(elements=list_.items, lbrace=opened, rbrace=closed)

    def leave_SimpleStatementLine(  # noqa: N802
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine:
        return updated_node.with_changes(body=self._line(original_node, updated_node))

    def leave_SimpleStatementSuite(  # noqa: N802
        self, original_node: cst.SimpleStatementSuite, updated_node: cst.SimpleStatementSuite
    ) -> cst.SimpleStatementSuite:
        return updated_node.with_changes(body=self._line(original_node, updated_node))

    def leave_IndentedBlock(  # noqa: N802
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        body, comments = self._block(original_node.body, updated_node.body)
        if body is None:
            return updated_node
        if not body:
            body.append(cst.SimpleStatementLine([cst.Pass()], leading_lines=comments))
            comments = []
        return updated_node.with_changes(body=body, footer=[*comments, *updated_node.footer])

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:  # noqa: N802
        body, comments = self._block(original_node.body, updated_node.body)
        if body is None:
            return updated_node
        return updated_node.with_changes(body=body, footer=[*comments, *updated_node.footer])

    def _line(self, original: Any, updated: Any) -> Sequence[Any]:
        """Take statements out of a line; one that goes as a whole is its block's to take out."""
        left = [new for old, new in zip(original.body, updated.body, strict=True) if not self._goes(old)]
        if len(left) == len(original.body):
            return tuple(left)
        if not left:
            return [cst.Pass()]
        return [*left[:-1], left[-1].with_changes(semicolon=cst.MaybeSentinel.DEFAULT)]

    def _block(self, original: Sequence[Any], updated: Sequence[Any]) -> tuple[list[Any] | None, list[cst.EmptyLine]]:
        """Take lines out of a block; return None if none goes. Comments above and behind them go to the next line."""
        body: list[Any] = []
        comments: list[cst.EmptyLine] = []
        for old, new in zip(original, updated, strict=True):
            if self._line_goes(old):
                above = [line for line in old.leading_lines if line.comment is not None]
                above += _comment_behind(old)
                blank = [line for line in old.leading_lines if line.comment is None]
                comments = [*comments, *(blank[:1] if above else ()), *above]
            elif comments:
                body.append(new.with_changes(leading_lines=[*comments, *new.leading_lines]))
                comments = []
            else:
                body.append(new)
        return (body, comments) if len(body) < len(original) else (None, [])

    def _line_goes(self, line: cst.CSTNode) -> bool:
        if isinstance(line, cst.SimpleStatementLine):
            return all(self._goes(small) or self._empties(small) for small in line.body)
        return self._goes(line)

    def _goes(self, node: cst.CSTNode) -> bool:
        return node in self._wanted and self._wanted[node] is None

    def _empties(self, statement: cst.CSTNode) -> bool:
        """Whether a statement is an ``update()`` of settings from which all options go."""
        call = statement.value if isinstance(statement, cst.Expr) else None
        if not isinstance(call, cst.Call) or not call.args or not isinstance(call.func, cst.Attribute):
            return False
        return call.func.attr.value == "update" and all(self._goes(arg) for arg in call.args)


def _comment_behind(line: Any) -> list[cst.EmptyLine]:
    """Return the comment at the end of a line as a line of its own."""
    space = getattr(line, "trailing_whitespace", None)
    return [cst.EmptyLine(comment=space.comment)] if space is not None and space.comment is not None else []
