/**
 * The ways to share a GPU, in one table: how each is spelt in every place that names it, which resource it offers, and what
 * bounds it. Nothing else translates one spelling into another.
 */

/** How a GPU is shared; the words are those of our API: annotations, records, metrics. */
export const SHARING_MODE_NAMES = ['mig', 'mps', 'timeslicing', 'exclusive'] as const;
export type SharingMode = (typeof SHARING_MODE_NAMES)[number];

/** The modes that share a GPU. */
export type SharedMode = Exclude<SharingMode, 'exclusive'>;

/** The modes that cut a GPU into equal slots of one name: NVIDIA's device plugin calls their number replicas. */
export type ReplicaMode = Exclude<SharedMode, 'mig'>;

/** One row of the table. */
export interface SharingModeInfo {
  /** The name in sentences for people. */
  readonly title: string;
  /** How users may write it in annotations; the first is the usual one. */
  readonly spellings: readonly string[];
}

export interface SharedModeInfo extends SharingModeInfo {
  /** The key in our configuration, and in specs of our custom resources before `Config` and `Enabled`. */
  readonly key: 'mig' | 'mps' | 'timeSlicing';
  /** The pod annotation, without our prefix, that switches the mode off. */
  readonly switch: string;
}

export interface ReplicaModeInfo extends SharedModeInfo {
  /** The value of GPU Feature Discovery's label `nvidia.com/gpu.sharing-strategy`. */
  readonly label: string;
  /** The key under `sharing` in the device plugin's configuration. Source: k8s-device-plugin 0.20, `api/config/v1`. */
  readonly pluginKey: string;
  /** What one slot is called, in the plural. */
  readonly slots: string;
}

const MPS: ReplicaModeInfo = {
  title: 'MPS',
  spellings: ['mps'],
  key: 'mps',
  switch: 'mps-enabled',
  label: 'mps',
  pluginKey: 'mps',
  slots: 'clients',
};

const TIME_SLICING: ReplicaModeInfo = {
  title: 'time-slicing',
  spellings: ['timeslicing', 'time-slicing'],
  key: 'timeSlicing',
  switch: 'time-slicing-enabled',
  label: 'time-slicing',
  pluginKey: 'timeSlicing',
  slots: 'slots',
};

const MIG: SharedModeInfo = { title: 'MIG', spellings: ['mig'], key: 'mig', switch: 'mig-enabled' };

/** The table, by mode. */
export const SHARING_MODES = {
  mig: MIG,
  mps: MPS,
  timeslicing: TIME_SLICING,
  exclusive: { title: 'whole GPUs', spellings: ['exclusive'] },
} as const satisfies Readonly<Record<SharingMode, SharingModeInfo>>;

/** In the order of the decision flow. */
export const SHARED_MODES: readonly SharedMode[] = ['mig', 'mps', 'timeslicing'];
export const REPLICA_MODES: readonly ReplicaMode[] = ['mps', 'timeslicing'];

/** All words that users may write for a mode. */
export const SHARING_MODE_SPELLINGS: readonly string[] = Object.values(SHARING_MODES).flatMap(
  ({ spellings }) => spellings,
);

/** The mode that a user's word stands for; undefined if it is none. */
export function sharingModeOf(word: string): SharingMode | undefined {
  return SPELLINGS.get(word);
}

const SPELLINGS: ReadonlyMap<string, SharingMode> = new Map(
  Object.entries(SHARING_MODES).flatMap(([mode, { spellings }]) =>
    spellings.map((word) => [word, mode as SharingMode] as const),
  ),
);

/** The mode of GPU Feature Discovery's label; undefined for `none`, and for what is unknown. */
export function replicaModeOf(label: string | undefined): ReplicaMode | undefined {
  return REPLICA_MODES.find((mode) => SHARING_MODES[mode].label === label);
}
