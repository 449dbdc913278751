#!/bin/sh
# Run before Superset at every start; repeating it changes nothing but the administrator's password.
set -eu
superset db upgrade
superset init
python -P local/superset_admin.py
