"""A server that does not start says why in the words of its own last line."""

from pathlib import Path

import pytest

from components.common.errors import CuveeError
from components.deploy.trial import running_server


def test_a_server_that_ends_is_told_with_its_reason(tmp_path: Path) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    with pytest.raises(CuveeError, match=r"ended with code \d: release: manifest.json is missing"):
        running_server(empty, tmp_path / "store", tmp_path / "server.log").__enter__()
    assert '"level":"ERROR"' in (tmp_path / "server.log").read_text()
