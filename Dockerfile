# Footfall in one container: one process, one volume.
#
#   docker build -t footfall .
#   docker run -d --name footfall -p 127.0.0.1:8000:8000 -v footfall:/data -e FOOTFALL_URL=https://stats.example.com footfall
#   docker exec footfall footfall link
#
# docs/server.md says more.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc tsconfig.json ./
# The image brings Node itself; everything else is what the lock file names, and nothing of it runs while it is installed.
RUN npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
COPY scripts/build.ts scripts/run.ts ./scripts/
COPY functions ./functions
RUN node --disable-warning=ExperimentalWarning scripts/build.ts
RUN npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error

FROM ${NODE_IMAGE}
WORKDIR /app
COPY package.json LICENSE stack.yml ./
COPY shared ./shared
COPY scripts ./scripts
COPY functions ./functions
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/functions/collect-hit/built ./functions/collect-hit/built
COPY --from=build /app/functions/serve-dashboard/built ./functions/serve-dashboard/built
COPY deploy/container/footfall /usr/local/bin/footfall
RUN mkdir -p /data && chown 10001:10001 /data
ENV NODE_ENV=production FOOTFALL_HOST=0.0.0.0 FOOTFALL_DATA=/data
VOLUME /data
EXPOSE 8000
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.FOOTFALL_PORT||8000}/health`).then((r)=>process.exit(r.ok?0:1),()=>process.exit(1))"]
# SIGTERM ends it cleanly: what runs is answered, files are closed. Give it the 10 s that docker stop gives.
CMD ["node", "--disable-warning=ExperimentalWarning", "--max-semi-space-size=64", "scripts/start.ts"]
