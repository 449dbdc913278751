# Superset. It sees the published builds and nothing else of the pipeline.
FROM python:3.11-slim-bookworm

RUN useradd --uid 50000 --create-home retention \
    && mkdir -p /data/published /superset && chown -R retention /data /superset
COPY requirements/bootstrap.txt requirements/bi.txt /requirements/
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /requirements/bootstrap.txt \
    && uv pip install --system --no-cache --require-hashes -r /requirements/bi.txt

WORKDIR /opt/retention
COPY dashboards/superset_config.py dashboards/
COPY docker/superset-init.sh docker/
COPY local/superset_admin.py local/
ENV SUPERSET_CONFIG_PATH=/opt/retention/dashboards/superset_config.py \
    SUPERSET_HOME=/superset \
    SUPERSET_ADDRESS=0.0.0.0 \
    FLASK_APP=superset.app:create_app() \
    PYTHONUNBUFFERED=1
USER retention
