"""What the scripts lean on."""

from pathlib import Path


def test_the_list_of_slow_files_names_files_that_are_there() -> None:
    here = Path(__file__).parent
    lines = [line.split() for line in (here / "slow.txt").read_text().splitlines()]
    assert all(seconds.isdecimal() for seconds, _ in lines)
    assert [file for _, file in lines if not (here / file).is_file()] == []
