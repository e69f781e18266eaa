"""Install modules and build the asset bundles; runs inside the sandbox's Odoo.

    python install_modules.py CONFIG_FILE MODULE [MODULE…]

Bundles are built here, once: each browser test would build them anew, its transaction being
rolled back.
"""

import sys

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry
from odoo.service.server import load_server_wide_modules
from odoo.tools import config


def main(config_file: str, *modules: str) -> None:
    config.parse_config(["-c", config_file], setup_logging=True)
    load_server_wide_modules()
    registry = Registry.new(config["db_name"][0], update_module=True, install_modules=modules)
    with registry.cursor() as cr:
        env = api.Environment(cr, SUPERUSER_ID, {})
        installed = env["ir.module.module"].search([("state", "=", "installed")]).mapped("name")
        missing = sorted(set(modules).difference(installed))
        if missing:
            sys.exit(f"not installed: {', '.join(missing)}")
        env["ir.qweb"]._pregenerate_assets_bundles()


if __name__ == "__main__":
    main(*sys.argv[1:])
