/**
 * Nodes as a watch shows them where NVIDIA's operator is installed: about 70 labels of Node Feature Discovery and GPU
 * Feature Discovery, 40 images, conditions and managed fields.
 */

import { GFD, PAUSED } from '#src/api/keys.ts';
import { fields, writtenBy } from './managed-fields.ts';
import { GPU_MIB, GPUS_PER_NODE, type Share, shareOf } from './shares.ts';

/** What changes in the course of a bench. */
export interface NodeState {
  /** mig-manager's word. */
  readonly migState: string;
  /** Of a label that is none of our business. */
  readonly rack: number;
  /** As `lastHeartbeatTime`. */
  readonly heartbeat: string;
}

export const FIRST_STATE: NodeState = { migState: 'success', rack: 0, heartbeat: '2026-11-02T08:00:00Z' };

const FOREIGN = 'example.com/rack';
const MADE = '2026-06-01T09:30:00Z';
const PRODUCT = 'NVIDIA-A100-SXM4-40GB';

/** Node n. @param version as resourceVersion */
export function nodeAt(n: number, name: string, state: NodeState, version: number): object {
  const share = shareOf(n);
  const labels = labelsOf(name, share, state);
  const amounts = amountsOf(share);
  return {
    kind: 'Node',
    apiVersion: 'v1',
    metadata: {
      name,
      uid: `0c4e7b13-55aa-4d2e-9f00-${n.toString(16).padStart(12, '0')}`,
      resourceVersion: String(version),
      creationTimestamp: MADE,
      labels,
      annotations: {
        'cluster.x-k8s.io/cluster-name': 'gpu-east',
        'cluster.x-k8s.io/machine': `${name}-machine`,
        'csi.volume.kubernetes.io/nodeid': JSON.stringify({ 'ebs.csi.example.com': name }),
        'nfd.node.kubernetes.io/feature-labels': Object.keys(labels)
          .filter((key) => key.startsWith('feature.') || key.startsWith('nvidia.com/'))
          .join(','),
        'node.alpha.kubernetes.io/ttl': '0',
        'projectcalico.org/IPv4Address': `10.20.${n >> 8}.${n & 255}/16`,
        'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
      },
      managedFields: managedFields(Object.keys(labels), Object.keys(amounts)),
    },
    spec: {
      podCIDR: `10.${n >> 8}.${n & 255}.0/24`,
      podCIDRs: [`10.${n >> 8}.${n & 255}.0/24`],
      providerID: `example:///${name}`,
      taints: [{ key: 'nvidia.com/gpu', value: 'present', effect: 'NoSchedule' }],
    },
    status: {
      capacity: { ...amounts, cpu: '96', memory: '1186747392Ki' },
      allocatable: amounts,
      conditions: conditionsOf(state.heartbeat),
      addresses: [
        { type: 'InternalIP', address: `10.20.${n >> 8}.${n & 255}` },
        { type: 'Hostname', address: name },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      nodeInfo: {
        machineID: `ec2a7c5d8f3b4e6a9c0d1e2f${String(n).padStart(8, '0')}`,
        systemUUID: `ec2a7c5d-8f3b-4e6a-9c0d-${n.toString(16).padStart(12, '0')}`,
        bootID: '5b8a9c71-0d3e-4f22-8a17-6f5e4d3c2b1a',
        kernelVersion: '6.8.0-52-generic',
        osImage: 'Ubuntu 24.04.2 LTS',
        containerRuntimeVersion: 'containerd://2.0.4',
        kubeletVersion: 'v1.34.1',
        kubeProxyVersion: '',
        operatingSystem: 'linux',
        architecture: 'amd64',
      },
      images: IMAGES,
    },
  };
}

const CPU_FLAGS = (
  'ADX AESNI AVX AVX2 AVX512BW AVX512CD AVX512DQ AVX512F AVX512VL AVX512VNNI CMPXCHG8 FMA3 FXSR FXSROPT LAHF MOVBE ' +
  'OSXSAVE SHA SYSCALL SYSEE VAES VPCLMULQDQ X87 XSAVE'
).split(' ');
const DEPLOYED = (
  'container-toolkit dcgm dcgm-exporter device-plugin driver gpu-feature-discovery mig-manager mps-control-daemon ' +
  'node-status-exporter operator-validator'
).split(' ');

function labelsOf(name: string, { mode, resource, slots, slotMiB }: Share, { migState, rack }: NodeState) {
  const strategy = mode === 'mps' ? 'mps' : mode === 'timeslicing' ? 'time-slicing' : 'none';
  const replicas = strategy === 'none' ? 1 : slots;
  return {
    'beta.kubernetes.io/arch': 'amd64',
    'beta.kubernetes.io/os': 'linux',
    [FOREIGN]: `rack-${rack}`,
    ...Object.fromEntries(CPU_FLAGS.map((flag) => [`feature.node.kubernetes.io/cpu-cpuid.${flag}`, 'true'])),
    'feature.node.kubernetes.io/cpu-hardware_multithreading': 'false',
    'feature.node.kubernetes.io/cpu-model.family': '25',
    'feature.node.kubernetes.io/cpu-model.id': '1',
    'feature.node.kubernetes.io/cpu-model.vendor_id': 'AMD',
    'feature.node.kubernetes.io/kernel-version.full': '6.8.0-52-generic',
    'feature.node.kubernetes.io/kernel-version.major': '6',
    'feature.node.kubernetes.io/kernel-version.minor': '8',
    'feature.node.kubernetes.io/memory-numa': 'true',
    'feature.node.kubernetes.io/pci-10de.present': 'true',
    'feature.node.kubernetes.io/storage-nonrotationaldisk': 'true',
    'feature.node.kubernetes.io/system-os_release.ID': 'ubuntu',
    'feature.node.kubernetes.io/system-os_release.VERSION_ID': '24.04',
    'kubernetes.io/arch': 'amd64',
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
    'node.kubernetes.io/instance-type': 'gpu-a100-8x',
    'nvidia.com/cuda.driver-version.full': '570.124.06',
    'nvidia.com/cuda.driver-version.major': '570',
    'nvidia.com/cuda.runtime-version.full': '12.8',
    'nvidia.com/gfd.timestamp': '1761988500',
    'nvidia.com/gpu.compute.major': '8',
    'nvidia.com/gpu.compute.minor': '0',
    [GFD.count]: String(GPUS_PER_NODE),
    ...Object.fromEntries(DEPLOYED.map((what) => [`${PAUSED.prefix}${what}`, 'true'])),
    'nvidia.com/gpu.family': 'ampere',
    'nvidia.com/gpu.machine': 'PowerEdge-XE8545',
    [GFD.memory]: String(GPU_MIB),
    'nvidia.com/gpu.present': 'true',
    [GFD.product]: PRODUCT,
    [GFD.replicas]: String(replicas),
    [GFD.sharingStrategy]: strategy,
    'nvidia.com/mig.capable': 'true',
    'nvidia.com/mig.config': mode === 'mig' ? 'all-1g.5gb' : 'all-disabled',
    [GFD.migConfigState]: migState,
    [GFD.migStrategy]: 'mixed',
    ...(mode === 'mig' && {
      [`${resource}.count`]: String(GPUS_PER_NODE * slots),
      [`${resource}.memory`]: String(slotMiB),
      [`${resource}.product`]: `${PRODUCT}-MIG-1g.5gb`,
      [`${resource}.replicas`]: '1',
    }),
    'topology.kubernetes.io/region': 'east-1',
    'topology.kubernetes.io/zone': 'east-1a',
  };
}

function amountsOf({ resource, slots }: Share): Record<string, string> {
  return {
    cpu: '95',
    'ephemeral-storage': '1698708930396',
    'hugepages-1Gi': '0',
    'hugepages-2Mi': '0',
    memory: '1183601664Ki',
    'nvidia.com/gpu': '0',
    [resource]: String(GPUS_PER_NODE * slots),
    pods: '110',
  };
}

function conditionsOf(lastHeartbeatTime: string): object[] {
  return [
    ['MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
    ['DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
    ['PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
    ['Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'],
  ].map(([type, status, reason, message]) => ({
    type,
    status,
    lastHeartbeatTime,
    lastTransitionTime: MADE,
    reason,
    message,
  }));
}

const IMAGES = Array.from({ length: 40 }, (_, i) => {
  const repository = `registry.example.com/platform/image-${String(i).padStart(2, '0')}`;
  const digest =
    `${i.toString(16).padStart(2, '0')}8c9d5e7f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff0011`.slice(0, 64);
  return {
    names: [`${repository}@sha256:${digest}`, `${repository}:v1.${i}.0`],
    sizeBytes: 9_482_113_021 - i * 180_000_000,
  };
});

function managedFields(labels: readonly string[], resources: readonly string[]): object[] {
  const isDiscovered = (key: string) => key.startsWith('feature.') || key.startsWith('nvidia.com/');
  const ofCondition = fields(['lastHeartbeatTime', 'lastTransitionTime', 'message', 'reason', 'status']);
  const types = ['DiskPressure', 'MemoryPressure', 'PIDPressure', 'Ready'];
  return [
    writtenBy('kubelet', MADE, {
      'f:metadata': { 'f:labels': { '.': {}, ...fields(labels.filter((key) => !isDiscovered(key))) } },
      'f:spec': fields(['podCIDR', 'providerID', 'taints']),
    }),
    writtenBy('nfd-master', MADE, { 'f:metadata': { 'f:labels': fields(labels.filter(isDiscovered)) } }),
    writtenBy(
      'kubelet',
      MADE,
      {
        'f:status': {
          'f:allocatable': fields(resources),
          'f:capacity': fields(resources),
          'f:conditions': Object.fromEntries(types.map((type) => [`k:{"type":"${type}"}`, ofCondition])),
          'f:images': {},
          'f:nodeInfo': {},
        },
      },
      'status',
    ),
  ];
}
