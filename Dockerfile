# The image of all roles: docker build -t gpu-autoscaler .
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src src
# Node.js runs TypeScript in development; an image runs what it was compiled to.
RUN npm run build && npm prune --omit=dev

FROM node:24-slim
WORKDIR /app
ENV NODE_ENV=production
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/build build
USER 65532:65532
ENTRYPOINT ["node", "--enable-source-maps", "build/main.js"]
