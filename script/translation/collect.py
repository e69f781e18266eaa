"""Write the template of all that is to be translated, and merge it into each language.

python -m translation.collect CONFIG_FILE LOG_FILE I18N_FOLDER
"""

import io
import sys
from pathlib import Path

import polib
from translatable import MODULE, write_template

from measure import instance

LANGUAGES = ("de", "es", "fr", "nl", "vi")
KEPT = ("Project-Id-Version", "MIME-Version", "Content-Type", "Content-Transfer-Encoding")
"""Of the header: what changes at each run would make a change of each run."""


def main(config_file: str, log_file: str, folder: str) -> int:
    instance.load(config_file, log_file)
    buffer = io.BytesIO()
    with instance.environment() as env:
        write_template(env.cr, buffer)
    template = polib.pofile(buffer.getvalue().decode())
    template.metadata = {key: template.metadata[key] for key in KEPT}
    target = Path(folder)
    target.mkdir(exist_ok=True)
    template.save(str(target / f"{MODULE}.pot"))
    for language in LANGUAGES:
        _merge(template, target / f"{language}.po", language)
    return 0


def _merge(template: polib.POFile, path: Path, language: str) -> None:
    translated = polib.pofile(str(path)) if path.exists() else polib.POFile()
    translated.metadata = {**template.metadata, "Language": language}
    translated.merge(template)
    for entry in translated.obsolete_entries():
        translated.remove(entry)
    translated.save(str(path))
    left = translated.untranslated_entries() + translated.fuzzy_entries()
    print(f"{path.name}: {len(translated) - len(left)} of {len(translated)} translated")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
