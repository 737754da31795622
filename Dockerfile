# Thalamus in two stages: the Swift toolchain builds, a slim Debian runs.
#
#   docker build -t thalamus .                              weights come from a volume at /models
#   docker build -t thalamus --build-arg WITH_MODELS=1 .    base models baked in (some 450 MB)
#
# The processor's instruction set is chosen when the server starts, so that one image serves all
# machines of an architecture. More in deploy/README.md.

ARG SWIFT_IMAGE=docker.io/library/swift:6.3-bookworm
ARG RUNTIME_IMAGE=docker.io/library/debian:bookworm-slim

# --- The binary
FROM ${SWIFT_IMAGE} AS build
RUN apt-get update \
  && apt-get install -y --no-install-recommends libsqlite3-dev libcurl4-openssl-dev \
    libjpeg-dev libpng-dev libwebp-dev \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /source
# The dependencies change seldom: they have a layer of their own.
COPY Package.swift Package.resolve[d] ./
RUN swift package resolve
COPY Sources Sources
COPY Tests Tests
COPY Benchmarks Benchmarks
# With Swift's own libraries inside, the runtime stage needs no toolchain.
RUN swift build -c release --product thalamus --static-swift-stdlib -Xlinker -s \
  && install -D .build/release/thalamus /out/thalamus

# --- Models: cards, router and trained experts; with WITH_MODELS=1 also the base weights
FROM ${RUNTIME_IMAGE} AS models
ARG WITH_MODELS=0
COPY models /models
COPY scripts/fetch-models.py /scripts/
# A condition, not a stage with a name that depends on the argument, which Debian 12's buildah and podman can't find.
RUN if [ "$WITH_MODELS" = 1 ]; then \
    apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 python3-pip \
    && python3 /scripts/fetch-models.py /models; \
  fi

# --- What runs
FROM ${RUNTIME_IMAGE}
# libjpeg-turbo has another name in Ubuntu.
RUN apt-get update \
  && jpeg=$(apt-cache show libjpeg62-turbo > /dev/null 2>&1 && echo libjpeg62-turbo || echo libjpeg-turbo8) \
  && apt-get install -y --no-install-recommends ca-certificates libcurl4 "$jpeg" libpng16-16 \
    libsqlite3-0 libwebp7 tzdata \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin thalamus \
  && install -d -o thalamus -g thalamus /data
COPY --from=build /out/thalamus /usr/local/bin/thalamus
COPY --from=models /models /models
COPY config/thalamus.yaml /etc/thalamus/thalamus.yaml
COPY LICENSE /usr/share/doc/thalamus/LICENSE
# Environment rather than flags, so that `docker run -e` can change each of them.
ENV THALAMUS_SERVER_HOST=0.0.0.0 \
    THALAMUS_SERVER_PORT=8080 \
    THALAMUS_MODELS_DIRECTORY=/models \
    THALAMUS_LOG_DATABASE=/data/thalamus.sqlite
WORKDIR /data
USER thalamus
# The decision log. /models is no VOLUME on purpose: baked weights would be copied at every start.
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${THALAMUS_SERVER_PORT:-8080} && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r -t 2 line <&3 && [[ $line == *' 200 '* ]]"]
ENTRYPOINT ["/usr/local/bin/thalamus"]
CMD ["serve", "--config", "/etc/thalamus/thalamus.yaml"]
