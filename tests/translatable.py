"""All that people read in this addon, as Odoo collects it for a translator."""

import contextlib
import shutil
import tempfile
from pathlib import Path

from odoo.tools.translate import TranslationFileWriter, TranslationModuleReader

import odoo.addons

MODULE = "system_mail"
ADDON = Path(__file__).resolve().parents[1]
NOT_READ = shutil.ignore_patterns(".*", "script", "tests", "docs", "dist")


class Reader(TranslationModuleReader):
    """Odoo's own would also walk through what a checkout holds beside the addon."""

    def __init__(self, cr, folder):
        self._folder = folder
        super().__init__(cr, [MODULE])

    def _export_translatable_resources(self):
        self._path_list = [(self._folder, True)]
        super()._export_translatable_resources()


@contextlib.contextmanager
def reader(cr):
    """The rows that Odoo would write into a template.

    :param cr: a cursor of a database where the addon is installed
    """
    paths = odoo.addons.__path__
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ADDON, Path(folder, MODULE), ignore=NOT_READ)
        odoo.addons.__path__ = [*paths, folder]  # Odoo opens no other files
        try:
            yield Reader(cr, folder)
        finally:
            odoo.addons.__path__ = paths


def write_template(cr, buffer):
    """Write the template into a binary buffer."""
    with reader(cr) as rows:
        TranslationFileWriter(buffer, fileformat="po", lang=None).write_rows(rows)
