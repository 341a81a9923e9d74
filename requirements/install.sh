#!/bin/sh
# Make a virtual environment with the locked dependencies and Shipcast itself.
# The pinned installer takes half a minute, bytecode and all, which every start of a process saves again. Where it
# cannot be had or fails, plain pip does the same more slowly. Neither compiles what is installed from where it lies, and
# Python itself keeps what it compiles only where it is let, so that is done last.
set -eu
venv=$1
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
"${PYTHON:-python3.11}" -m venv "$venv"
python="$venv/bin/python"
pip() { "$python" -m pip install --quiet --disable-pip-version-check "$@"; }
uv() { VIRTUAL_ENV="$venv" "$venv/bin/uv" pip install --quiet --system-certs "$@"; }

if pip --require-hashes --requirement "$here/uv.txt" && uv --compile-bytecode --require-hashes --requirement "$here/lock.txt"; then
    uv --no-deps --no-build-isolation --editable "$top"
else
    echo "the pinned installer cannot be used; installing with pip instead" >&2
    pip --require-hashes --requirement "$here/lock.txt"
    pip --no-deps --no-build-isolation --editable "$top"
fi

"$python" -m compileall -q "$top"/[a-z]*/
