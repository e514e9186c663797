"""A signal that comes in the wrong moment is neither lost nor acted upon too early."""

from __future__ import annotations

import os
import signal

import pytest

from dari.lab.interrupts import deferred, end_tidily


def test_ctrl_c_waits_until_the_block_is_done() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), deferred():
        os.kill(os.getpid(), signal.SIGINT)
        done.append("all of it")
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_a_signal_nothing_happens() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with deferred():
        pass
    assert signal.getsignal(signal.SIGTERM) is before


def test_sigterm_unwinds_the_stack_with_its_exit_status() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        end_tidily()
        with pytest.raises(SystemExit) as ended, deferred():
            os.kill(os.getpid(), signal.SIGTERM)
        assert ended.value.code == 128 + signal.SIGTERM
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
