# The service, on CPU. `docker build -t lookalike .`, then compose.yaml or docs/serve.md.
FROM python:3.12-slim AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
# Formats of phones and cameras, models by name, Parquet; constraints.txt holds the versions that were tested.
ARG EXTRAS=serve,heic,raw,parquet,hub
COPY constraints.txt /tmp/
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-cache-dir --constraint /tmp/constraints.txt "$(echo /wheels/lookalike-*.whl)[$EXTRAS]"
RUN useradd --uid 10001 --create-home lookalike && install --directory --owner lookalike /collections
USER 10001
WORKDIR /collections
VOLUME /collections
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["lookalike"]
# Listens for the container's neighbours, and so wants keys: see compose.yaml.
CMD ["serve", "--host", "0.0.0.0", "--config", "/collections/serve.toml"]
