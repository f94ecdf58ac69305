@echo off
rem Windows: installs the workshop into this folder. No internet is needed.
cd /d "%~dp0"
for %%P in ("py -3.11" "py -3.12" "py -3.13" "python" "py") do (
    %%~P tools\install.py --suits >nul 2>nul && (
        %%~P tools\install.py && .venv\Scripts\python tools\check.py
        pause
        exit /b
    )
)
py tools\install.py || python tools\install.py || echo Python is missing: install it from python.org, then run this again.
pause
