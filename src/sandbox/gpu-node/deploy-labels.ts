/**
 * The labels by which the GPU operator's DaemonSets select their nodes: the operator sets them to "true", and
 * mig-manager pauses what would hold the driver. Source: gpu-operator, `assets/state-*`.
 */

const PREFIX = 'nvidia.com/gpu.deploy.';
/** Those that mig-manager pauses. */
const PAUSED = ['device-plugin', 'gpu-feature-discovery', 'dcgm-exporter'] as const;

export type Labels = Readonly<Record<string, string>>;

/** A label that is not there is about to be set by the operator. */
export function isDeployed(labels: Labels, component: (typeof PAUSED)[number]): boolean {
  return (labels[PREFIX + component] ?? 'true') === 'true';
}

/** All of them with that value, but for those set to "false", which are left alone. */
export function deploy(labels: Labels, value: 'true' | 'paused-for-mig-change'): Labels {
  const names = PAUSED.map((component) => PREFIX + component).filter((name) => labels[name] !== 'false');
  return Object.fromEntries(names.map((name) => [name, value]));
}
