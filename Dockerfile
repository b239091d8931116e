FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package opentrail && cp target/release/opentrail /opentrail

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 7400 --home-dir /var/lib/opentrail opentrail \
    && install --directory --mode 0700 --owner opentrail /var/lib/opentrail
COPY --from=build /opentrail /usr/local/bin/opentrail
USER opentrail
ENV OPENTRAIL_DATA=/var/lib/opentrail OPENTRAIL_LISTEN=0.0.0.0:7400
VOLUME /var/lib/opentrail
EXPOSE 7400
ENTRYPOINT ["opentrail"]
CMD ["serve"]
