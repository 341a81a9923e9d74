#!/bin/sh
# Make a virtual environment with the locked dependencies and Shipcast itself.
# The pinned installer takes seconds; where it cannot be had, plain pip does the same more slowly.
set -eu
venv=$1
here=$(cd "$(dirname "$0")" && pwd)
"${PYTHON:-python3.11}" -m venv "$venv"
bin="$venv/bin"
"$bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$here/uv.txt" || true
if [ -x "$bin/uv" ]; then
    VIRTUAL_ENV="$venv" "$bin/uv" pip install --quiet --require-hashes --requirement "$here/lock.txt"
    VIRTUAL_ENV="$venv" "$bin/uv" pip install --quiet --no-deps --no-build-isolation --editable "$here/.."
else
    echo "the pinned installer cannot be had; installing with pip instead" >&2
    "$bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$here/lock.txt"
    "$bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable "$here/.."
fi
