"""The command and args of a component made from a Python function: a fixed `sh` script, the module's source, and settings.

The script stands in the IR as it is here, so that whoever runs it can recognise it: Headrace's companion does (its
`bootstrap` holds the same text, which a test compares) and calls the function without a shell; KFP's backend,
`kfp.local` and Vertex run it. Called by `dsl.decorators`, `headrace.local` and `headrace.comparing`; the module's text is made by
`module_texts`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from headrace import __version__

# What kfp.local looks for is in it: the name of KFP's module, "$program_path/ephemeral_component.py" with "$@" before the
# element that is source, and nothing but `python3` for the interpreter, which it replaces.
SCRIPT: Final = r"""# Runs a Python component. $0: its source; then settings up to "--"; the rest is for the runtime, which
# does the work of kfp.dsl.executor_main.
set -f
IFS='
'
say() { printf 'headrace: %s\n' "$1" >&2; exit 1; }
options= packages= runtime= version= venv= kfp=
while [ "$1" != -- ]; do
  case $1 in
    --venv) venv=1 ;;
    --as-kfp) kfp=1 ;;
    --version) version=$2; shift ;;
    --runtime) runtime=$2; shift ;;
    --package) packages="$packages$2$IFS"; shift ;;
    *) options="$options$1$IFS$2$IFS"; shift ;;
  esac
  shift
done
shift
program_path=$(mktemp -d 2>/dev/null) || say "no temporary folder can be made: mount a writable /tmp, or set TMPDIR"
python=$(command -v python3) || python=$(command -v python) || say "the image has no Python: choose a base_image that has"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' ||
  say "$("$python" -V 2>&1) is too old: components need Python 3.9 or newer, choose another base_image"
if [ "$venv" ] || { [ "$packages" ] && "$python" -c 'import os, sys, sysconfig
own = sys.prefix == sys.base_prefix and os.path.exists(sysconfig.get_path("stdlib") + "/EXTERNALLY-MANAGED")
sys.exit(os.access(sysconfig.get_path("purelib"), os.W_OK) and not own)'; }; then
  "$python" -m venv --without-pip --system-site-packages "$program_path/venv" ||
    say "no virtual environment can be made for the packages: choose a base_image whose Python has the module venv"
  export VIRTUAL_ENV="$program_path/venv" PATH="$program_path/venv/bin:$PATH"
  python=$program_path/venv/bin/python
fi
[ "${PIP_CACHE_DIR:-}" ] || [ -w "${HOME:-/nonexistent}" ] || export PIP_NO_CACHE_DIR=1
install() {
  "$python" -c 'import pip' 2>/dev/null || "$python" -m ensurepip >/dev/null 2>&1 ||
    say "the image's Python has no pip to install packages with: choose another base_image"
  PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
    "$python" -m pip install --quiet --no-warn-script-location "$@"
}
if [ "$packages" ]; then
  install $options $packages || say "the component's packages cannot be installed; pip's reason stands above"
fi
if ! { [ "$version" ] && "$python" -c 'import sys
try: from headrace.runtime import serves
except ImportError: sys.exit(1)
sys.exit(not serves(sys.argv[1]))' "$version"; }; then
  if [ "$kfp" ] && [ "${2#@}" = "$2" ] && "$python" -c 'from kfp.dsl import executor_main' 2>/dev/null; then
    kfp=kfp.dsl.executor_main
  else
    [ "$runtime" ] || say "the image has no headrace.runtime $version, and the component says not to install it"
    said=$(install --no-deps --no-compile --ignore-requires-python --target "$program_path/headrace" \
      $options "$runtime" 2>&1) ||
      say "$runtime, which runs the component, cannot be installed (${said##*$IFS}): \
put it into the image, or give pip_index_urls"
    export PYTHONPATH="$program_path/headrace${PYTHONPATH:+:$PYTHONPATH}"
  fi
fi
case $kfp in
  1) set -- "$@" --as_kfp; kfp= ;;
  kfp.*) export _KFP_RUNTIME=true ;;
esac
if [ "$0" ]; then
  printf %s "$0" > "$program_path/ephemeral_component.py"
  set -- --component_module_path "$program_path/ephemeral_component.py" "$@"
fi
exec "$python" -m "${kfp:-headrace.runtime}" "$@"
"""
END: Final = "--"
MODULE: Final = ("python3", "-m", "headrace.runtime")
KFP_MODULE: Final = ("python3", "-m", "kfp.dsl.executor_main")
_OURS: Final = re.compile(r"headrace(\b|_)")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a decorator says of packages, in its own words. `pip_trusted_hosts` None: those of the index URLs."""

    packages_to_install: Sequence[str] = ()
    pip_index_urls: Sequence[str] = ()
    pip_trusted_hosts: Sequence[str] | None = None
    use_venv: bool = False
    install_kfp_package: bool = True
    kfp_package_path: str | None = None
    as_kfp: bool = False

    def words(self) -> list[str]:
        """As the script takes them, without the end."""
        words = []
        for option, values in (
            ("--index-url", self.pip_index_urls[:1]),
            ("--extra-index-url", self.pip_index_urls[1:]),
        ):
            words += [word for value in values for word in (option, value)]
        hosts = self.pip_index_urls if self.pip_trusted_hosts is None else self.pip_trusted_hosts
        if self.pip_index_urls:
            words += [word for host in hosts for word in ("--trusted-host", host)]
        packages = [
            *self.packages_to_install,
            *([self.kfp_package_path] if self.as_kfp and self.kfp_package_path else []),
        ]
        words += [word for package in packages for word in ("--package", str(package))]
        words += ["--venv"] if self.use_venv else []
        words += ["--as-kfp"] if self.as_kfp else []
        return words + self._runtime()

    def _runtime(self) -> list[str]:
        """Which runtime, and what to install where it is missing. Without a version it is installed whatever is there."""
        if self.kfp_package_path and not self.as_kfp:
            return ["--runtime", str(self.kfp_package_path)]
        wanted = ["--version", __version__]
        brought = any(_OURS.match(str(package)) for package in self.packages_to_install)
        left_out = not self.install_kfp_package and not self.as_kfp
        return wanted if brought or left_out else [*wanted, "--runtime", f"headrace=={__version__}"]


def lightweight(function: str, source: str, settings: Settings) -> tuple[list[str], list[str]]:
    """Command and args of a component that brings its source along."""
    return ["sh", "-ec", SCRIPT, source, *settings.words(), END], args_of(function)


def containerized(function: str, settings: Settings) -> tuple[list[str], list[str]]:
    """Command and args of a component that lies in its target image, which has the runtime."""
    if settings.packages_to_install:
        words = Settings(
            settings.packages_to_install, settings.pip_index_urls, settings.pip_trusted_hosts, settings.use_venv,
            install_kfp_package=False, as_kfp=settings.as_kfp,
        ).words()  # fmt: skip
        return ["sh", "-ec", SCRIPT, "", *words, END], args_of(function)
    return list(KFP_MODULE if settings.as_kfp else MODULE), args_of(function)


def args_of(function: str) -> list[str]:
    """The args of every Python component; KFP's are the same."""
    return ["--executor_input", "{{$}}", "--function_to_execute", function]


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What a command of ours says. `options`: indexes and trusted hosts as words for pip. `runtime` "": not installed."""

    source: str
    packages: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    use_venv: bool = False
    as_kfp: bool = False
    version: str = ""
    runtime: str = ""


def read(command: Any) -> Bootstrap | None:
    """COMMAND of an IR taken apart, or None where it is not our script."""
    if not isinstance(command, list) or command[:3] != ["sh", "-ec", SCRIPT] or END not in command[4:]:
        return None
    found: dict[str, list[str]] = {}
    options: list[str] = []
    words = iter(command[4 : command.index(END, 4)])
    for word in words:
        if word in ("--venv", "--as-kfp"):
            found[word] = [word]
        elif word in ("--package", "--version", "--runtime"):
            found.setdefault(word, []).append(next(words, ""))
        else:
            options += [word, next(words, "")]
    version, runtime = ("".join(found.get(name, [])) for name in ("--version", "--runtime"))
    packages = tuple(found.get("--package", ()))
    return Bootstrap(command[3], packages, tuple(options), "--venv" in found, "--as-kfp" in found, version, runtime)
