/** Versions of the device plugin, by the images of DaemonSets. */

import tap from 'tap';
import { devicePluginVersion } from '#src/cli/doctor/checks/device-plugin-version.ts';
import { exclusiveNode } from '../../../../objects/nodes.ts';
import { devicePluginSet } from '../../../../objects/nvidia-components.ts';
import { findingsOf, nodesOf, workloadsOf } from '../make.ts';

const CASES: readonly [image: string, says: RegExp | undefined][] = [
  ['nvcr.io/nvidia/k8s-device-plugin:v0.20.0', undefined],
  ['nvcr.io/nvidia/k8s-device-plugin:v0.20.0-rc.1', undefined],
  ['registry:5000/mirror/k8s-device-plugin:1.0.0-ubi9@sha256:00', undefined],
  ['nvcr.io/nvidia/k8s-device-plugin:v0.19.3', /is v0\.19\.3, and packed allocation exists since 0\.20/],
  ['nvidia/k8s-device-plugin:1.0.0-beta4', undefined],
  ['k8s-device-plugin:v0.9.0', /is v0\.9\.0/],
  ['nvcr.io/nvidia/k8s-device-plugin:latest', /does not tell its version \(tag "latest"\)/],
  ['nvcr.io/nvidia/k8s-device-plugin@sha256:00', /does not tell its version \(tag ""\)/],
];
for (const [image, says] of CASES) {
  tap.test(image, async (t) => {
    const found = findingsOf(devicePluginVersion, { daemonSets: workloadsOf(devicePluginSet({ image })) });
    if (says) t.match(found, [{ severity: 'warning', message: says, objects: [/^gpu-operator\/nvidia-device/] }]);
    else t.same(found, []);
  });
}

tap.test('GPU Feature Discovery in the same image is no device plugin', async (t) => {
  const set = devicePluginSet({ image: 'nvcr.io/nvidia/k8s-device-plugin:v0.17.0' });
  const [container] = set.spec.template.spec.containers;
  Object.assign(container ?? {}, { command: ['gpu-feature-discovery'] });
  t.same(findingsOf(devicePluginVersion, { daemonSets: workloadsOf(set) }), []);
});

tap.test("the GPU operator's pod: the device plugin beside its config-manager", async (t) => {
  const set = devicePluginSet({ image: 'nvcr.io/nvidia/k8s-device-plugin:v0.19.3' });
  const { containers } = set.spec.template.spec;
  const [main] = containers;
  if (!main) return;
  Object.assign(main, { command: ['/bin/sh', '-c'], args: ['/bin/entrypoint.sh'] });
  containers.unshift({ ...main, name: 'config-manager', ...{ command: ['config-manager'] } });
  t.equal(findingsOf(devicePluginVersion, { daemonSets: workloadsOf(set) }).length, 1);
});

tap.test('none is seen: said where there are GPUs', async (t) => {
  const nodes = nodesOf(exclusiveNode({ name: 'a', gpus: 1 }));
  t.match(findingsOf(devicePluginVersion, { daemonSets: [], nodes }), [{ message: /no DaemonSet of NVIDIA's/ }]);
  t.same(findingsOf(devicePluginVersion, { daemonSets: [], nodes: [] }), []);
  t.equal(devicePluginVersion.run({ nodes }, {} as never), undefined, 'DaemonSets that cannot be seen do not tell');
});
