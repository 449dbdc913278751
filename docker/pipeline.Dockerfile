# Airflow with the pipeline: every Airflow service of docker-compose.yml runs this image.
FROM python:3.11-slim-bookworm

RUN useradd --uid 50000 --create-home retention \
    && mkdir -p /data/published && chown -R retention /data
COPY requirements/bootstrap.txt requirements/pipeline.txt requirements/celery.txt /requirements/
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /requirements/bootstrap.txt \
    && uv pip install --system --no-cache --require-hashes -r /requirements/pipeline.txt -r /requirements/celery.txt

WORKDIR /opt/retention
COPY . .
RUN printf '#!/bin/sh\nexec python -m retention.cli "$@"\n' > /usr/local/bin/retention \
    && chmod 755 /usr/local/bin/retention \
    && python -m compileall -q retention dags
ENV PYTHONPATH=/opt/retention \
    RETENTION_HOME=/data \
    AIRFLOW_HOME=/data/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/retention/dags \
    PYTHONUNBUFFERED=1
USER retention
