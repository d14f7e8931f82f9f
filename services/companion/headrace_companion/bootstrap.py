"""The script that starts a component which our SDK compiled, word for word as `headrace.compiler.bootstrap` writes it.

Here too, because nothing of the SDK is installed where a companion runs; a test compares the two. Read by `lightweight`.
"""

from __future__ import annotations

from typing import Final

BOOTSTRAP: Final = r"""# Runs a Python component. $0: its source; then settings up to "--"; the rest is for the runtime, which
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
