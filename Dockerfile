# The service in a container, built without a network: the wheels lie beside this file.
#
#   pip wheel --wheel-dir wheels . -r requirements-light.txt --no-deps   # fieldpack itself
#   pip wheel --wheel-dir wheels -r requirements-light.txt               # what it needs, without torch
#   docker build --network none --tag fieldpack .
#   docker run --rm -p 127.0.0.1:8017:8017 -e FIELDPACK_API_KEY=secret fieldpack
FROM python:3.12-slim

COPY wheels /wheels
COPY requirements-light.txt /wheels/
RUN pip install --no-cache-dir --no-index --find-links /wheels -r /wheels/requirements-light.txt \
 && pip install --no-cache-dir --no-index --no-deps /wheels/fieldpack-*.whl \
 && rm -r /wheels \
 && useradd --create-home --uid 10001 fieldpack

USER fieldpack
EXPOSE 8017
HEALTHCHECK CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8017/healthz', timeout=3)"]
# A key is required: the service listens on all addresses of the container (FIELDPACK_API_KEY).
ENTRYPOINT ["fieldpack", "serve", "--host", "0.0.0.0", "--port", "8017"]
