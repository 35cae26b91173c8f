"""Where kiejobs can be started: what only POSIX has is not asked for before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import kiejobs

_ON_WINDOWS = """
import builtins, importlib, os, pkgutil, signal, sys, types
import kiejobs

def modules():
    found = pkgutil.walk_packages(kiejobs.__path__, "kiejobs.")
    return [one.name for one in found if not one.name.endswith("__main__")]

for name in modules():
    importlib.import_module(name)  # all that they need of others, which know Windows by themselves
for name in [name for name in sys.modules if name.partition(".")[0] == "kiejobs"]:
    del sys.modules[name]

POSIX = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
ordinary = builtins.__import__

def blocking(name, scope=None, *rest):
    if name.partition(".")[0] in POSIX and str((scope or {}).get("__name__")).startswith("kiejobs"):
        raise ModuleNotFoundError(name)
    return ordinary(name, scope, *rest)

builtins.__import__ = blocking
sys.modules["msvcrt"] = types.ModuleType("msvcrt")
sys.platform = "win32"
for room, names in (
    (os, "O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK fork geteuid getuid killpg pread setsid"),
    (signal, "SIGALRM SIGBUS SIGHUP SIGKILL SIGUSR1 SIGVTALRM SIGXCPU"),
):
    for name in names.split():
        delattr(room, name)

import kiejobs
imported = [importlib.import_module(name) for name in modules()]
print(len(imported), "imported")

from kiejobs.app.project import require_key
from kiejobs.core.diagnostics import UsageProblem
try:
    require_key(None)
except UsageProblem as problem:
    print(problem.message, "/", problem.hint)
"""


def test_every_module_can_be_imported_where_there_is_no_posix_and_nothing_is_bought_there() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", _ON_WINDOWS],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(Path(kiejobs.__file__).parents[1])},
    )
    assert not done.stderr
    count, refused = done.stdout.splitlines()
    assert int(count.split()[0]) > 150
    assert refused == "nothing is bought or downloaded on Windows itself / run kiejobs in WSL"
