# tap-chat, the bridge, and the drivers of DuckDB and PostgreSQL:
#   docker build --tag tap-chat .
#   docker run --rm tap-chat tap-chat --help
FROM python:3.13-slim-trixie AS build

COPY --from=ghcr.io/astral-sh/uv:0.13.9 /uv /usr/local/bin/uv
ENV VIRTUAL_ENV=/opt/tap-chat \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy

# The packages have the versions and hashes that the tests use. They change less often than the code.
WORKDIR /src
COPY requirements-dev.txt pyproject.toml ./
RUN uv venv "$VIRTUAL_ENV" \
    && uv pip install --no-build --constraints requirements-dev.txt \
       --requirements pyproject.toml --extra duckdb --extra postgres

# The version comes from git, which the build does not see.
ARG VERSION=0.0.0
COPY README.md LICENSE ./
COPY tap_chat tap_chat
COPY dlt_bridge dlt_bridge
RUN SETUPTOOLS_SCM_PRETEND_VERSION="$VERSION" \
    uv pip install --no-deps --build-constraints requirements-dev.txt .


FROM python:3.13-slim-trixie

ARG VERSION=0.0.0
LABEL org.opencontainers.image.title="tap-chat" \
      org.opencontainers.image.description="Load every conversation from your chat platforms into any warehouse." \
      org.opencontainers.image.url="https://github.com/tap-chat/tap-chat" \
      org.opencontainers.image.source="https://github.com/tap-chat/tap-chat" \
      org.opencontainers.image.documentation="https://tap-chat.readthedocs.io" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"

COPY --from=build /opt/tap-chat /opt/tap-chat

# Configs, DuckDB files, and the working files of dlt, which an interrupted run leaves to the next.
RUN mkdir --mode=1777 /data
WORKDIR /data
ENV PATH=/opt/tap-chat/bin:$PATH \
    HOME=/data \
    PYTHONUNBUFFERED=1 \
    RUNTIME__DLTHUB_TELEMETRY=false
USER 1000:1000

CMD ["tap-chat", "--help"]
