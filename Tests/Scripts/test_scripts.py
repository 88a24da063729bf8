"""What the scripts are made of: they parse, ShellCheck finds nothing, they explain themselves."""

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMANDS = ["scripts/up", "scripts/down", "scripts/test", "scripts/bench"]
SHELL_FILES = sorted(
    [ROOT / name for name in COMMANDS] + list((ROOT / "scripts/lib").glob("*.sh")))


@pytest.mark.parametrize("path", SHELL_FILES, ids=lambda path: path.name)
def test_shell_file(path):
    subprocess.run(["bash", "-n", path], check=True)
    text = path.read_text()
    assert max(map(len, text.splitlines())) <= 100
    assert len(text.splitlines()) <= 250
    assert "TODO" not in text


@pytest.mark.parametrize("name", COMMANDS)
def test_shellcheck(name):
    subprocess.run(["shellcheck", "-x", "-a", ROOT / name], cwd=ROOT, check=True)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_and_unknown_argument(name):
    helped = subprocess.run([ROOT / name, "--help"], capture_output=True, text=True)
    assert helped.returncode == 0 and "usage:" in helped.stdout
    refused = subprocess.run([ROOT / name, "no-such"], capture_output=True, text=True)
    assert refused.returncode == 2 and "usage:" in refused.stdout + refused.stderr


SOURCES = {
    "deb822 with key and comment": ("a.sources", """\
Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/own.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
""", """\
Types: deb
URIs: http://mirror.example/debian
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/own.gpg
"""),
    "one line with options": ("a.list", """\
# deb http://old.example/debian bookworm main
deb http://mirror.example/security bookworm-security main
deb [signed-by=/usr/share/keyrings/own.gpg arch=amd64] http://mirror.example/debian bookworm main
deb http://second.example/debian bookworm main
""", "deb [signed-by=/usr/share/keyrings/own.gpg arch=amd64] http://mirror.example/debian trixie main\n"),
    "one line, plain": ("a.list", "deb\thttp://mirror.example/debian\tbookworm main contrib\n",
                        "deb\thttp://mirror.example/debian trixie main\n"),
    "disabled stanza": ("a.sources", """\
Enabled: no
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm
Components: main
""", None),
    "source packages only": ("a.list", "deb-src http://mirror.example/debian bookworm main\n", None),
    "another release": ("a.list", "deb http://mirror.example/debian sid main\n", None),
}


@pytest.mark.parametrize("case", SOURCES, ids=list(SOURCES))
def test_trixie_entry_is_made_from_the_machines_own_mirror(tmp_path, case):
    name, text, expected = SOURCES[case]
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / name).write_text(text)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c",
         f". {ROOT}/scripts/lib/common.sh; . {ROOT}/scripts/lib/packages.sh; trixie_sources"],
        env={"APT_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True)
    if expected is None:
        assert (done.returncode, done.stdout) == (1, "")
    else:
        assert (done.returncode, done.stdout) == (0, expected)


def test_the_compose_file_pins_what_the_scripts_pin():
    compose = (ROOT / "docker-compose.yml").read_text()
    for library in ("neo4j", "weaviate"):
        text = (ROOT / f"scripts/lib/{library}.sh").read_text()
        version = re.search(r"_VERSION=([0-9.]+)", text).group(1)
        assert f"{library}:{version}" in compose, (library, version)
