# An image with Unroll, Open MPI and oneDNN, without a Swift toolchain:
#   docker build -t unroll . && docker run --rm -v "$PWD:/work" unroll train config.yaml
# For another level of processors than x86-64-v3: docker build --build-arg MARCH=x86-64-v4 …
FROM swift:6.3-bookworm AS build
ARG MARCH=x86-64-v3
COPY . /unroll
RUN apt-get update && apt-get install -y --no-install-recommends dpkg-dev && /unroll/launch/install \
    && MARCH=$MARCH /unroll/launch/package /packages

FROM debian:bookworm-slim
COPY --from=build /packages/*.deb /tmp/
RUN apt-get update && apt-get install -y --install-recommends /tmp/unroll_*.deb openssh-client \
    && rm -rf /tmp/*.deb /var/lib/apt/lists/*
WORKDIR /work
ENTRYPOINT ["unroll"]
