#!/bin/sh
# Makes .venv from uv.lock, and uv.lock where there is none. Usage: dev/setup.sh UV
set -eu

uv=$1
version=$(cat .python-version)

# Prints the path of an interpreter of the given version, wherever it is installed.
find_python() {
    "$uv" python find --no-project --no-python-downloads "$1" 2>/dev/null && return
    # uv trips over pyenv's shims: ask pyenv's directory.
    for python in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
        [ -x "$python" ] && echo "$python" && return
    done
    return 1
}

python=$(find_python "$version") || {
    echo "Python $version is not on this machine: asking uv for it"
    "$uv" python install "$version" && python=$(find_python "$version")
} || python=$(find_python ">=$version") || {
    echo "This service needs Python $version (.python-version), and it could neither be found nor downloaded." >&2
    echo "Install it (python.org, your package manager, or: uv python install $version) and try again." >&2
    exit 1
}

# CI takes what is locked, or nothing: it may not mend what it is to check.
locked=
if [ -f uv.lock ]; then locked=${CI:+--locked}; else echo "Writing uv.lock: commit it"; fi
"$uv" sync --quiet --python "$python" $locked || {
    echo "supply.locked: what uv.lock says cannot be installed${locked:+, or is not what pyproject.toml asks for: make lock}" >&2
    exit 1
}
touch .venv/.ready
