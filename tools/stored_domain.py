"""Domains that people write as text, for Odoo to evaluate later, as superuser."""

import ast

OPERATORS = ("&", "|", "!")
NESTED = ("any", "not any", "any!", "not any!")


def paths_of(text):
    """The paths of fields that the domain asks for, those of nested domains among them.

    :raises ValueError: it is no list of plain conditions: what it asks for cannot be told
    :rtype: list[str]
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, MemoryError, RecursionError) as exc:
        raise ValueError("This is no domain.") from exc
    return [*_paths(tree.body)]


def _paths(node):
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _paths(node.left)
        yield from _paths(node.right)
        return
    if not isinstance(node, (ast.List, ast.Tuple)):
        raise ValueError("This is no list of conditions.")  # noqa: TRY004 the text's value is
    if _is_condition(node):
        path, operator, value = node.elts
        yield str(path.value)
        if not (isinstance(operator, ast.Constant) and isinstance(operator.value, str)):
            raise ValueError("An operator is not written out.")
        if operator.value.lower() in NESTED:
            yield from _paths(value)
        return
    for each in node.elts:
        if not (isinstance(each, ast.Constant) and each.value in OPERATORS):
            yield from _paths(each)


def _is_condition(node):
    match node.elts:
        case [ast.Constant(value=path), _operator, _value]:
            return path not in OPERATORS
    return False
