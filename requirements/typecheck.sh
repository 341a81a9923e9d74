#!/bin/sh
# mypy does not know that the source folders are installed below `shipcast`; a folder of links tells it.
set -eu
mypy=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
root=$(cd "$(dirname "$0")/.." && pwd)
links=$(mktemp -d)
trap 'rm -rf "$links"' EXIT
mkdir "$links/shipcast"
for file in "$root"/shipcast/*; do ln -s "$file" "$links/shipcast/"; done
for folder in answers api channels dashboards features ingest models scheduling settings simulator warehouse; do
    ln -s "$root/$folder" "$links/shipcast/$folder"
done
cd "$links" && "$mypy" --config-file "$root/pyproject.toml" --cache-dir "$root/.mypy_cache" -p shipcast
