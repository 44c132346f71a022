import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.by_numpy import by_numpy
from serving import kernels
from serving.arrays import top_k
from serving.kernels import build
from serving.kernels.library import loaded


def test_the_loops_are_compiled_where_all_parts_are_required() -> None:
    if not kernels.there and not build.compiler():
        if os.environ.get("CUVEE_REQUIRE_ALL"):
            pytest.fail("no C compiler: install one")
        pytest.skip("no C compiler was found")
    assert kernels.there, "the library is missing or not of these sources: python serving/kernels/build.py"


def test_compiling_gives_a_library_that_tells_its_sources(tmp_path: Path) -> None:
    if not build.compiler():
        pytest.skip("no C compiler was found")
    assert build.build(tmp_path / "made.so")
    assert build.digest().encode() in (tmp_path / "made.so").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["made.so"]


@pytest.mark.parametrize(("compiler", "said"), [("", "no C compiler"), ("false", "left out")])
def test_without_a_compiler_it_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, compiler: str, said: str
) -> None:
    monkeypatch.setenv("CC", compiler)
    monkeypatch.setenv("PATH", "/usr/bin" if compiler else str(tmp_path))
    assert not build.build(tmp_path / "made.so")
    assert said in caplog.text
    assert not (tmp_path / "made.so").exists()


def test_a_library_of_other_sources_is_left_out(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    if not kernels.there:
        pytest.skip("the compiled loops are not there")
    assert loaded(build.LIBRARY, build.digest()) is not None
    assert loaded(build.LIBRARY, "another") is None
    assert "not of these sources" in caplog.text
    with caplog.at_level("INFO"):
        assert loaded(tmp_path / "none.so", build.digest()) is None
    assert "are not there" in caplog.text


def test_numpy_answers_without_it() -> None:
    with by_numpy():
        assert top_k(np.array([[1, 3, 2]], dtype=np.float32), 2).tolist() == [[1, 2]]
