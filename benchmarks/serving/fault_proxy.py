"""A TCP proxy that spoils what lies behind it on command: refuses, delays, falls silent, or talks nonsense.

Tests and `make bench-serving` put it before a real Valkey.
"""

import contextlib
import random
import socket
import threading
import time
from types import TracebackType

SLOW_S = 2.0
PASS, REFUSED, SLOW, SILENT, GARBAGE, ENDLESS = "pass", "refused", "slow", "silent", "garbage", "endless"
FAULTS = (REFUSED, SLOW, SILENT, GARBAGE, ENDLESS)


class FaultProxy:
    """Listens on a local port of its own; what it does is decided anew for whatever a client sends."""

    def __init__(self, port: int) -> None:
        """Stand before the local *port*."""
        self._behind, self._mode, self._open = port, PASS, set[socket.socket]()
        self._noise = random.Random(0)
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> "FaultProxy":
        return self

    def __exit__(self, *_how: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.be(REFUSED)

    def be(self, mode: str) -> None:
        """Behave so from now on, towards those who are connected too."""
        before, self._mode = self._mode, mode
        if mode == REFUSED:
            for one in (self._listener, *self._open):
                _close(one)
        elif before == REFUSED:
            self._listener = self._listen(self.port)

    def _listen(self, port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                behind = socket.create_connection(("127.0.0.1", self._behind))
                self._open |= {client, behind}
                threading.Thread(target=self._questions, args=(client, behind), daemon=True).start()
                threading.Thread(target=_pump, args=(behind, client), daemon=True).start()

    def _questions(self, client: socket.socket, behind: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while asked := client.recv(65536):
                if self._mode == GARBAGE:
                    client.sendall(self._noise.randbytes(200))
                elif self._mode == ENDLESS:
                    client.sendall(b"$999999999\r\nhalf of an answer")
                elif self._mode != SILENT:
                    time.sleep(SLOW_S if self._mode == SLOW else 0)
                    behind.sendall(asked)
        _close(client)
        _close(behind)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
