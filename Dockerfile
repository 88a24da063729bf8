# The gateway. Swift's library is linked in, so the second stage needs only the C libraries.
ARG BASE_IMAGE=debian:trixie-slim

FROM ${BASE_IMAGE} AS build
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        swiftlang g++ libc6-dev pkgconf libuv1-dev libllhttp-dev libpq-dev libhiredis-dev \
        libcurl4-openssl-dev libyyjson-dev libssl-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Package.swift ./
COPY Sources Sources
# The package names its test targets, so their folders must be there.
COPY Tests Tests
RUN swift build --configuration release --product fourfold --static-swift-stdlib \
    && install --strip .build/release/fourfold /usr/local/bin/fourfold

FROM ${BASE_IMAGE}
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        ca-certificates curl libuv1t64 libllhttp9.2 libpq5 libhiredis1.1.0 libcurl4t64 libyyjson0 libssl3t64 libstdc++6 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin fourfold
COPY --from=build /usr/local/bin/fourfold /usr/local/bin/fourfold
COPY schemas /srv/fourfold/schemas
COPY cypher /srv/fourfold/cypher
COPY weaviate /srv/fourfold/weaviate
WORKDIR /srv/fourfold
USER fourfold
ENV FOURFOLD_ROOT=/srv/fourfold
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=6 \
    CMD ["curl", "--silent", "--fail", "--output", "/dev/null", "http://127.0.0.1:8080/health/ready"]
ENTRYPOINT ["fourfold"]
CMD ["serve"]
