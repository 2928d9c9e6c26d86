/** Labels of Karpenter on AWS. */

import tap from 'tap';
import { karpenterAws } from '#src/state/dialects/karpenter.ts';
import { conformance, nodeWith } from './conformance.ts';

const GPU = 'karpenter.k8s.aws/instance-gpu-';
const A10G = { [`${GPU}name`]: 'a10g', [`${GPU}count`]: '4', [`${GPU}memory`]: '22888' };

conformance(karpenterAws, [
  { says: 'an instance type', labels: A10G, reading: { product: 'NVIDIA-A10G', gpus: 4, gpuMiB: 22_888 } },
  {
    says: 'one without memory',
    labels: { ...A10G, [`${GPU}memory`]: 'much' },
    reading: { product: 'NVIDIA-A10G', gpus: 4 },
  },
]);

tap.test('GPUs of other makers are none', async (t) => {
  t.equal(karpenterAws.read(nodeWith({ ...A10G, [`${GPU}manufacturer`]: 'amd' })), undefined);
  t.equal(karpenterAws.read(nodeWith({ ...A10G, [`${GPU}manufacturer`]: 'nvidia' }))?.gpus, 4);
});
