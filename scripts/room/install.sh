#!/bin/sh
# Linux and macOS: installs the workshop into this folder. No internet is needed.
cd "$(dirname "$0")" || exit 1
for python in python3 python3.11 python3.12 python3.13 python; do
    if command -v "$python" >/dev/null && "$python" tools/install.py --suits 2>/dev/null
    then
        "$python" tools/install.py && exec .venv/bin/python tools/check.py
        exit 1
    fi
done
if command -v python3 >/dev/null; then
    exec python3 tools/install.py  # which says what is needed
fi
echo "Python is missing: install it from python.org, then run this again."
exit 1
