/** Folders of `src`, and which others each may import. One may import only what stands above it here. */

const FOUNDATION = ['core', 'api', 'kube', 'telemetry', 'state'];
/** Folders on one level, which do not know each other. */
const ROLES = ['extender', 'webhook', 'planner', 'reconciler', 'audit', 'sandbox'];

export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  api: ['core'],
  kube: ['core', 'api'],
  telemetry: ['core', 'api', 'kube'],
  state: ['core', 'api', 'kube', 'telemetry'],
  extender: FOUNDATION,
  webhook: FOUNDATION,
  planner: FOUNDATION,
  reconciler: FOUNDATION,
  audit: FOUNDATION,
  sandbox: FOUNDATION,
  app: [...FOUNDATION, ...ROLES],
  cli: [...FOUNDATION, ...ROLES],
  'main.ts': [...FOUNDATION, ...ROLES, 'app', 'cli'],
};

/** Folders that have no dependency: no package, no `node:` module. */
export const WITHOUT_PACKAGES: readonly string[] = ['core'];
