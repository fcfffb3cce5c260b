#!/usr/bin/env bash
# Run every numbered example: bash examples/run_all.sh [FOLDER_OF_PYTHON]
set -euo pipefail
cd "$(dirname "$0")/.."
python="${1:+$1/}python"
for script in examples/[0-9]*.py; do
  echo "--- $script"
  "$python" "$script"
done
