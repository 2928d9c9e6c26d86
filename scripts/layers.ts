/** Folders of `src`, and which others each may import. One may import only what stands above it here. */

const FOUNDATION = ['core', 'api', 'cluster', 'telemetry'];
const ROLES = ['extender', 'webhook', 'reconciler', 'sandbox', 'controller'];

export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  api: ['core'],
  cluster: ['core', 'api'],
  telemetry: ['core', 'api'],
  extender: FOUNDATION,
  webhook: FOUNDATION,
  reconciler: FOUNDATION,
  sandbox: FOUNDATION,
  controller: [...FOUNDATION, 'reconciler'],
  cli: [...FOUNDATION, ...ROLES],
  'main.ts': [...FOUNDATION, ...ROLES, 'cli'],
};

/** Folders that have no dependency: no package, no `node:` module. */
export const WITHOUT_PACKAGES: readonly string[] = ['core'];
