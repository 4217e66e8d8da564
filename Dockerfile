# An image with Unroll, Open MPI and oneDNN, without a Swift toolchain:
#   docker build -t unroll . && docker run --rm -v "$PWD:/data" unroll train config.yaml
# For another level of processors than launch/package chooses: docker build --build-arg MARCH=x86-64-v4 …
FROM swift:6.3-bookworm AS build
ARG MARCH=
COPY . /unroll
RUN apt-get update && apt-get install -y --no-install-recommends dpkg-dev && /unroll/launch/install \
    && MARCH="$MARCH" /unroll/launch/package /packages

FROM debian:bookworm-slim
COPY --from=build /packages/*.deb /tmp/
RUN apt-get update && apt-get install -y --install-recommends /tmp/unroll_*.deb openssh-client \
    && rm -rf /tmp/*.deb /var/lib/apt/lists/*
WORKDIR /data
ENTRYPOINT ["unroll"]
