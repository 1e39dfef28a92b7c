"""Variables from ``--env`` and dotenv files."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_cli.envfile import read_environment, read_file
from torch_cli.errors import RefusedError

PEM = "-----BEGIN KEY-----\nMIIB/+a=\n  two  \n\n-----END KEY-----\n"


@pytest.fixture
def dotenv(tmp_path: Path) -> Path:
    return tmp_path / ".env file"


def test_a_given_value_is_taken_as_it_is() -> None:
    assert read_environment(["A=1", "B=", "C=x=y", f"D={PEM}", "E= '$A' #x "]) == {
        "A": "1",
        "B": "",
        "C": "x=y",
        "D": PEM,
        "E": " '$A' #x ",
    }


def test_a_name_alone_takes_the_caller_s_value() -> None:
    caller = {"KEY": "s\ne\udcffcret"}
    assert read_environment(["KEY"], environ=caller) == {"KEY": "s\ne\udcffcret"}


def test_a_name_that_the_caller_has_not_set_is_refused() -> None:
    with pytest.raises(RefusedError, match="--env NOT_THERE: NOT_THERE is not set"):
        read_environment(["NOT_THERE"], environ={})


@pytest.mark.parametrize("one", ["1A=x", "=x", "", "A B=x", "A-B=x", "É=x", "A\n=x", "TMUX=x"])
def test_a_name_that_cannot_be_one_is_refused(one: str) -> None:
    with pytest.raises(RefusedError):
        read_environment([one])


def test_what_tmux_sets_itself_is_refused_in_a_file_too(dotenv: Path) -> None:
    dotenv.write_text("A=1\nTMUX_PANE=%1\n")
    with pytest.raises(RefusedError, match="line 2: tmux sets TMUX_PANE itself"):
        read_file(str(dotenv))


def test_a_nul_is_refused_without_showing_the_value(dotenv: Path) -> None:
    dotenv.write_bytes(b"# c\n\nSECRET='hush\0hush'\n")
    with pytest.raises(RefusedError, match="line 3: the value of SECRET contains a NUL") as refused:
        read_file(str(dotenv))
    assert "hush" not in str(refused.value)


def test_quoted_values_of_a_file_span_lines(dotenv: Path) -> None:
    dotenv.write_text(f"# a comment\nexport A=plain # note\n\nPEM='{PEM}'\nB=\"x\\ny\"\nC=\n")
    assert read_file(str(dotenv)) == {"A": "plain", "PEM": PEM, "B": "x\ny", "C": ""}


def test_nothing_in_a_file_is_expanded(dotenv: Path, tmp_path: Path) -> None:
    dotenv.write_text(f'A=${{HOME}}\nB=$(touch {tmp_path}/x)\nC="$HOME `id`"\n')
    expected = {"A": "${HOME}", "B": f"$(touch {tmp_path}/x)", "C": "$HOME `id`"}
    assert read_file(str(dotenv)) == expected


def test_bytes_that_are_not_utf8_and_line_ends_inside_quotes_are_kept(dotenv: Path) -> None:
    dotenv.write_bytes(b"\xef\xbb\xbfA='\xff\xfe\r\nx'\r\nB=y\r\n")
    assert read_file(str(dotenv)) == {"A": "\udcff\udcfe\r\nx", "B": "y"}


@pytest.mark.parametrize(
    ("text", "line"),
    [("A=1\n\n\nB='open\nC=2\n", 4), ("A=1\nthis is no assignment\n", 2), ("\n# x\nA\n", 3)],
)
def test_a_file_that_cannot_be_understood_is_refused_by_line(
    dotenv: Path, text: str, line: int
) -> None:
    dotenv.write_text(text)
    with pytest.raises(RefusedError, match=f"line {line}: "):
        read_file(str(dotenv))


def test_an_unquoted_key_of_several_lines_is_refused_not_cut(dotenv: Path) -> None:
    dotenv.write_text(f"PEM={PEM}")
    with pytest.raises(RefusedError, match="line 2"):
        read_file(str(dotenv))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="no such file"):
        read_environment(files=[str(tmp_path / "none")])
    with pytest.raises(RefusedError, match="is a directory"):
        read_environment(files=[str(tmp_path)])


def test_later_files_win_and_given_values_win_over_files(tmp_path: Path) -> None:
    (tmp_path / "1").write_text("A=1\nB=1\nC=1\n")
    (tmp_path / "2").write_text("B=2\nC=2\n")
    files = [str(tmp_path / "1"), str(tmp_path / "2")]
    assert read_environment(["C=3"], files) == {"A": "1", "B": "2", "C": "3"}


@given(st.binary(max_size=200).filter(lambda b: b"\0" not in b and b"'" not in b))
def test_any_bytes_in_single_quotes_come_back(tmp_path: Path, value: bytes) -> None:
    r"""In single quotes only ``\\`` and ``\'`` are escapes."""
    path = tmp_path / "env"
    path.write_bytes(b"V='" + value.replace(b"\\", b"\\\\") + b"'\n")
    assert os.fsencode(read_file(str(path))["V"]) == value
