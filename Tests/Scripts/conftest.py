"""Fixtures of the tests of the scripts."""

import pytest

from copies import Copy


@pytest.fixture
def make_copy(tmp_path_factory):
    copies = []

    def make():
        # The parents of pytest's folders are private, and PostgreSQL's user must get in.
        folder = tmp_path_factory.mktemp("copy")
        for parent in [folder, *folder.parents][:3]:
            parent.chmod(parent.stat().st_mode | 0o011)
        copies.append(Copy(folder))
        return copies[-1]

    yield make
    for each in copies:
        if each.up_process and each.up_process.poll() is None:
            each.up_process.kill()
        each.run("scripts/down", "--wipe")
