/** DaemonSets of NVIDIA's components, as the GPU operator makes them for our ConfigMaps. */

export interface ComponentOptions {
  readonly image?: string;
  /** Default: the one that we write. */
  readonly configMap?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeSelector?: Readonly<Record<string, string>>;
}

const NAMESPACE = 'gpu-operator';

export function devicePluginSet(options: ComponentOptions = {}) {
  const { image = 'nvcr.io/nvidia/k8s-device-plugin:v0.20.0', configMap = 'gpu-autoscaler-device-plugin' } = options;
  const env = { MIG_STRATEGY: 'mixed', ...options.env };
  return daemonSet('nvidia-device-plugin-daemonset', { ...options, image, configMap, env });
}

export function migManagerSet(options: ComponentOptions = {}) {
  const { image = 'nvcr.io/nvidia/cloud-native/k8s-mig-manager:v0.15.0', configMap = 'gpu-autoscaler-mig-parted' } =
    options;
  return daemonSet('nvidia-mig-manager', { ...options, image, configMap });
}

function daemonSet(
  name: string,
  {
    image,
    configMap,
    env = {},
    nodeSelector,
  }: ComponentOptions & { readonly image: string; readonly configMap: string },
) {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          ...(nodeSelector && { nodeSelector }),
          containers: [{ name: 'main', image, env: Object.entries(env).map(([key, value]) => ({ name: key, value })) }],
          volumes: [{ name: 'config', configMap: { name: configMap } }],
        },
      },
    },
  };
}
