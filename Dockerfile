# The daemon's image: a wheel of this repository on a slim Python, run by a user without rights.
FROM python:3.11-slim-bookworm AS build
# For the look-up of opt-outs, which is compiled; the image itself has no compiler.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
WORKDIR /src
# Only what the wheel is made of, so that a changed dashboard or test does not build it anew.
COPY pyproject.toml setup.py README.md LICENSE ./
COPY rules ./rules
COPY streams ./streams
# Extras of pyproject.toml, for example `--build-arg EXTRAS=seal`.
ARG EXTRAS=""
RUN python -m venv /opt/hegui \
    && /opt/hegui/bin/pip install --no-cache-dir ".${EXTRAS:+[${EXTRAS}]}"

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin hegui
COPY --from=build /opt/hegui /opt/hegui
ENV PATH=/opt/hegui/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
# The root file system may be read-only; what is written temporarily goes to /tmp.
WORKDIR /tmp
# The evaluator's port; the compose file asks a state process on its own.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('HEGUI_HTTP__PORT', '9464') + '/livez', timeout=3)"]
ENTRYPOINT ["hegui"]
CMD ["run", "--role", "evaluator", "--config", "/etc/hegui/hegui.toml"]
