"""How the code is divided into rooms, and which room may know which (docs/architecture.rst)."""

import ast
import collections
import functools
import itertools
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
MAY_IMPORT = {
    "providers": set(),
    "failover": {"providers"},
    "connect": {"failover", "providers"},
    "tools": {"odoo", "constants", "failover"},
    "sending": {"odoo", "constants", "failover", "tools"},
    "models": {"odoo", "constants", "providers", "failover", "connect", "tools", "sending"},
    "wizards": {
        "odoo",
        "constants",
        "providers",
        "failover",
        "connect",
        "tools",
        "sending",
        "models",
    },
    "controllers": {"odoo", "constants"},
}
"""What each room may import, beside the standard library and other packages."""
ROOMS_OF_MODELS = sorted(path.parent for path in (ROOT / "models").glob("*/__init__.py"))
MOST_FILES = 12
"""In one room, without its ``__init__.py``."""
CALLED_BY_OTHERS = {
    "_replace",  # of a NamedTuple
    "_system_mail_connect",  # integrators call it by this name
    "system_mail_alert",  # the browser calls it too
}
"""Methods that need not be private and without an underscore."""


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_run_one_way(room):
    known = {*MAY_IMPORT, "odoo", "constants", "hooks"}
    for path in _files(room):
        for name in _imports(path):
            top = name.partition(".")[0]
            assert top not in known - MAY_IMPORT[room] - {room}, f"{path} imports {name}"


def test_each_package_of_the_addon_is_a_room():
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == {*MAY_IMPORT, "tests"}


@pytest.mark.parametrize("room", ROOMS_OF_MODELS, ids=lambda room: room.name)
def test_a_room_of_models_imports_no_other_room(room):
    for path in _files(room):
        for name in _imports(path):
            parts = name.split(".")
            assert parts[0] != "models" or parts[1] == room.name, f"{path} imports {name}"


@pytest.mark.parametrize("room", ROOMS_OF_MODELS, ids=lambda room: room.name)
def test_a_room_of_models_has_at_most_a_dozen_files(room):
    assert 0 < len(_files(room)) <= MOST_FILES


def test_models_has_rooms_only():
    assert _files("models", "*.py") == []


def test_models_and_wizards_hold_one_model_in_each_file():
    for path in (*_files("models"), *_files("wizards")):
        assert len(_models(path)) == 1, path


def test_no_method_of_a_model_is_defined_in_two_files():
    files = collections.defaultdict(list)
    for path in (*_files("models"), *_files("wizards")):
        for model in _models(path):
            for method in _methods(model):
                files[_model_name(model), method.name].append(path.relative_to(ROOT))
    assert [(method, paths) for method, paths in files.items() if len(paths) > 1] == []


@pytest.mark.parametrize("room", ["models", "wizards", "controllers", "sending"])
def test_what_another_room_calls_of_a_model_is_named_and_marked_for_it(room):
    methods = _methods_of_ours()
    for path in _files(room):
        for name, line in _called(path):
            definitions = [] if name in CALLED_BY_OTHERS else methods.get(name, [])
            if _room(path) in {_room(where) for where, _method in definitions}:
                continue
            for where, method in definitions:
                call = f"{path}:{line} calls {name} of {where}"
                assert not name.startswith("_"), call
                assert "api.private" in _decorators(method) or name.startswith("action_"), call


def test_odoos_own_runner_finds_every_test():
    [imported] = ast.parse((ROOT / "tests" / "__init__.py").read_text()).body
    files = {path.stem for path in (ROOT / "tests").glob("test_*.py")}
    assert files <= {alias.name for alias in imported.names}


# --- what the files say


def _files(room, pattern="**/*.py"):
    """The Python files of a room, without those that only list the others."""
    return [path for path in sorted((ROOT / room).glob(pattern)) if path.stem != "__init__"]


def _room(path):
    """``models/mail``, ``wizards``, …"""
    parts = path.relative_to(ROOT).parts[:-1]
    return "/".join(parts[:2] if parts[:1] == ("models",) else parts[:1])


@functools.cache
def _tree(path):
    return ast.parse(path.read_text())


def _imports(path):
    """The full name of each module or name that a file imports; of ours without the addon's."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (_without_addon(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
            module = [*package, *filter(None, [node.module])]
            yield from (_without_addon(".".join([*module, alias.name])) for alias in node.names)


def _without_addon(name):
    return name.removeprefix("odoo.addons.system_mail.")


def _models(path):
    """The classes of a file that are models of Odoo."""
    return [
        node
        for node in _tree(path).body
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).startswith("models.") for base in node.bases)
    ]


def _model_name(model):
    """``_name``, or the one name in ``_inherit``."""
    values = {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in model.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("_name", "_inherit")
    }
    return values.get("_name") or values["_inherit"]


def _methods(model):
    return [node for node in model.body if isinstance(node, ast.FunctionDef)]


def _methods_of_ours():
    """Where each method of our models is defined, by its name; without overrides of Odoo's."""
    methods, odoos = collections.defaultdict(list), set()
    for path in (*_files("models"), *_files("wizards")):
        for method in itertools.chain(*map(_methods, _models(path))):
            methods[method.name].append((path, method))
            if "super()" in ast.unparse(method):
                odoos.add(method.name)
    return {name: where for name, where in methods.items() if name not in odoos}


def _decorators(method):
    return [ast.unparse(decorator) for decorator in method.decorator_list]


def _called(path):
    """Each method that a file calls, with the line. What it calls on ``self`` is its own where the
    file has no model.
    """
    has_model = _models(path)
    for node in ast.walk(_tree(path)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name("self"))) if not has_model:
                pass
            case ast.Call(func=ast.Attribute(attr=name)):
                yield name, node.lineno
