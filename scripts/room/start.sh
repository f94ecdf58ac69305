#!/bin/sh
# Linux and macOS: opens the notebooks in JupyterLab.
cd "$(dirname "$0")" || exit 1
if [ ! -f .venv/complete ]; then
    echo "Not installed, or not to its end: run  sh install.sh"
    exit 1
fi
SRTOOLS_DATA="$PWD/open"
export SRTOOLS_DATA
exec .venv/bin/python -m jupyterlab book
