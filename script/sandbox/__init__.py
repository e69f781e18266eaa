"""The development sandbox of system_mail: Odoo 19, Python packages and PostgreSQL inside `.sandbox/`.

Standard library only: it runs before anything is installed. The usual way in::

    from sandbox import console, environment, workbench

    def main():
        with workbench.opened() as bench:                      # sets up what is missing, starts PostgreSQL
            with bench.temporary_database("demo", install=["system_mail"]) as name:
                subprocess.run(bench.odoo_command(name, "--http-port=8069"), env=environment.process_environment())

    if __name__ == "__main__":
        console.run(main)
"""

import sys

if sys.version_info < (3, 10):
    sys.exit(f"Python 3.10 or newer is needed; {sys.executable} is {sys.version.split()[0]}")
