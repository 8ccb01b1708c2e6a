"""`python -m evalkit` is `evalkit`."""

from evalkit.cli.main import run_process

if __name__ == "__main__":
    run_process()
