"""`python -m fundus_plugins` is `fundus`."""

from fundus_plugins.cli.main import run

if __name__ == "__main__":
    run()
