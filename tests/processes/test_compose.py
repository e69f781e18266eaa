"""compose.yaml, as far as it can be judged without an engine; script/lint checks its schema."""

import ast
import re

import pytest
import yaml

from sandbox import layout

MOUNTED = "/mnt/extra-addons/system_mail"
"""A folder of the addons path that Odoo's official image has, and the addon's name."""

DEBIAN_NAMES = {"pyjwt": "jwt"}
"""Of packages that Debian names otherwise than their index does."""


@pytest.fixture(name="compose", scope="module")
def _compose():
    return yaml.safe_load((layout.CHECKOUT / "compose.yaml").read_text())


def test_odoo_finds_the_addon_under_its_name(compose):
    [source] = (
        volume.split(":")[0]
        for volume in compose["services"]["odoo"]["volumes"]
        if volume.split(":")[1] == MOUNTED
    )
    assert (layout.CHECKOUT / source / "__manifest__.py").is_file()
    assert re.search(r"--init=\S*\bsystem_mail\b", " ".join(compose["services"]["odoo"]["command"]))


def test_odoo_has_what_the_manifest_needs(compose):
    manifest = ast.literal_eval((layout.CHECKOUT / "__manifest__.py").read_text())
    names = manifest["external_dependencies"]["python"]
    needed = {f"python3-{DEBIAN_NAMES.get(name, name)}" for name in names}
    dockerfile = compose["services"]["odoo"]["build"]["dockerfile_inline"]
    assert {name.replace("_", "-") for name in needed} <= set(dockerfile.split())
    assert dockerfile.strip().endswith("USER odoo"), "Odoo does not run as root"


def test_images_are_the_official_ones_of_a_named_version(compose):
    dockerfile = compose["services"]["odoo"]["build"]["dockerfile_inline"]
    assert re.findall(r"^FROM (.*)$", dockerfile, re.MULTILINE) == ["odoo:19.0"]
    assert re.fullmatch(r"postgres:\d+", compose["services"]["db"]["image"])


def test_nothing_is_reached_from_another_machine(compose):
    assert all(
        port.startswith("127.0.0.1:")
        for service in compose["services"].values()
        for port in service.get("ports", [])
    )


def test_what_odoo_and_postgresql_keep_is_in_named_volumes(compose):
    used = {
        volume.split(":")[0]: volume.split(":")[1]
        for service in compose["services"].values()
        for volume in service["volumes"]
    }
    named = {name: used[name] for name in compose["volumes"]}
    assert set(named.values()) == {"/var/lib/odoo", "/var/lib/postgresql/data"}


def test_odoo_waits_for_a_healthy_database_and_logs_in_with_its_password(compose):
    odoo, db = compose["services"]["odoo"], compose["services"]["db"]
    assert odoo["depends_on"]["db"]["condition"] == "service_healthy"
    assert all(service["healthcheck"]["test"] for service in (odoo, db))
    assert odoo["environment"]["USER"] == db["environment"]["POSTGRES_USER"]
    password = db["environment"]["POSTGRES_PASSWORD"]
    assert odoo["environment"]["PASSWORD"] == password
    assert password.startswith("${POSTGRES_PASSWORD:-"), "one's own goes into .env"
