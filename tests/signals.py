"""Signals of processes that tests start."""

import signal


def hear_ctrl_c() -> None:
    """For `preexec_fn`: a suite that runs in the background ignores interrupts, and its children would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
