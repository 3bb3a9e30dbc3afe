# Tailrace's processes for servers: the command line with everything but the embedded stack, which
# Kafka and ClickHouse stand in for here (see docker-compose.yml).
FROM python:3.13.13-slim-trixie AS build
WORKDIR /src
COPY constraints.txt ./
# The builder is an environment of its own, so that only what runs is carried on.
RUN python -m venv /opt/builder && python -m venv /opt/tailrace \
 && /opt/builder/bin/pip install --no-cache-dir --constraint constraints.txt build hatchling
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY producers producers
COPY streams streams
COPY sinks sinks
COPY evals evals
COPY console console
RUN /opt/builder/bin/python -m build --wheel --no-isolation --outdir /dist \
 && wheel="$(ls /dist/tailrace-*.whl)" \
 && /opt/tailrace/bin/pip install --no-cache-dir --constraint constraints.txt \
      "$wheel[streams,sinks,evals,console,judge,otel]"

FROM python:3.13.13-slim-trixie
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/tailrace tailrace
COPY --from=build /opt/tailrace /opt/tailrace
# Output is seen at once, not when a buffer is full.
ENV PATH=/opt/tailrace/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /var/lib/tailrace
USER tailrace
# Health is a matter of each process, so docker-compose.yml states it.
HEALTHCHECK NONE
ENTRYPOINT ["tailrace"]
CMD ["--help"]
