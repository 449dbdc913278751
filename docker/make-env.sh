#!/bin/sh
# Writes docker/.env with new secrets for docker-compose.yml; an existing file is kept. Nothing is printed but its name.
set -eu
cd "$(dirname "$0")"
if [ -e .env ]; then
    echo "docker/.env exists and is kept"
    exit 0
fi
umask 077
secret() { head -c 32 /dev/urandom | base64 | tr -d '\n=' | tr '+/' '-_'; }
{
    echo "# Secrets of docker-compose.yml, made by docker/make-env.sh"
    for name in POSTGRES_PASSWORD AIRFLOW_DATABASE_PASSWORD SUPERSET_DATABASE_PASSWORD REDIS_PASSWORD \
        AIRFLOW_ADMIN_PASSWORD AIRFLOW_SECRET_KEY AIRFLOW_JWT_SECRET SUPERSET_ADMIN_PASSWORD SUPERSET_SECRET_KEY; do
        echo "$name=$(secret)"
    done
    # Fernet wants the padding that the others leave out.
    echo "AIRFLOW_FERNET_KEY=$(secret)="
    echo
    echo "# Where your systems are; see docs/connect-your-systems.md"
    echo "RETENTION_SOURCES=bitrix24,billing,znuny"
    echo "RETENTION_BITRIX24_URL="
    echo "RETENTION_BILLING_URL="
    echo "RETENTION_ZNUNY_URL="
} > .env.new
mv .env.new .env
echo "made docker/.env"
