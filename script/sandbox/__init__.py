"""The development sandbox of system_mail: Odoo 19, its packages and PostgreSQL in `.sandbox/`.

Standard library only: it runs before anything is installed. The usual way in::

    from sandbox import console, environment, workbench

    def main():
        with workbench.opened() as bench:  # installs what is missing, has PostgreSQL running
            with bench.temporary_database("demo", install=["system_mail"]) as name:
                command = bench.odoo_command(name, "--http-port=8069")
                subprocess.run(command, env=environment.process_environment())

    if __name__ == "__main__":
        console.run(main)
"""

import sys

if sys.version_info < (3, 10):  # noqa: UP036 (a stranger's python3 may be older)
    sys.exit(f"Python 3.10 or newer is needed; {sys.executable} is {sys.version.split()[0]}")
