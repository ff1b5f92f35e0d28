"""The command line: one file a verb, thin. What a verb needs is imported when it runs, so that `--help` is quick."""


def main() -> None:
    """The entry point of `perpend`."""
    from perpend.cli.app import app

    app(prog_name="perpend")
