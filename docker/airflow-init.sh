#!/bin/sh
# Run before the Airflow services at every start; repeating it changes nothing.
set -eu
umask 077
mkdir -p "$AIRFLOW_HOME"
printf '{"admin": "%s"}\n' "$AIRFLOW_ADMIN_PASSWORD" > "$AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
airflow db migrate
airflow pools import dags/pools.json
