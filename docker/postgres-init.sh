#!/bin/sh
# Run once by the postgres image on an empty volume: a role and a database of its own for Airflow and for Superset.
set -eu
for name in airflow superset; do
    case $name in
        airflow) password=$AIRFLOW_DATABASE_PASSWORD ;;
        superset) password=$SUPERSET_DATABASE_PASSWORD ;;
    esac
    psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --set name="$name" --set password="$password" <<'SQL'
create role :"name" login password :'password';
create database :"name" owner :"name";
revoke all on database :"name" from public;
SQL
done
