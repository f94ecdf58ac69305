@echo off
rem Windows: opens the notebooks in JupyterLab.
cd /d "%~dp0"
if not exist .venv\complete (
    echo Not installed, or not to its end: run install.bat
    pause
    exit /b 1
)
set SRTOOLS_DATA=%cd%\open
.venv\Scripts\python -m jupyterlab book
