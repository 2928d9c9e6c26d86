/**
 * The two ConfigMaps from which NVIDIA's components read: names are added and, once they are not needed any more, taken
 * away; what others have there stays. Remembers since when a name has been there, since kubelets take their time.
 */

import { parse } from 'yaml';
import { z } from 'zod';
import { isOurs } from '../api/config-name.ts';
import type { Clock } from '../kube/clock.ts';
import { type KubeClient, KubeError, MERGE_PATCH } from '../kube/kube-client.ts';
import type { NamedConfig } from './named-config.ts';

export type Component = 'plugin' | 'mig';

export interface ConfigMapStoreOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly namespace: string;
  /** Names of the ConfigMaps. */
  readonly configMaps: Readonly<Record<Component, string>>;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Asked right before anything is sent. */
  readonly maySend?: () => boolean;
  /** Called when another client has changed a text of ours. */
  readonly edited: (component: Component, name: string) => void;
}

/** What stands there cannot be used, or there is no room; the message says what mends it. */
export class ConfigMapStoreError extends Error {
  override readonly name = 'ConfigMapStoreError';
}

/** A ConfigMap holds 1 MiB; the rest is for keys and metadata. Source: Kubernetes, "ConfigMaps". */
const MAX_BYTES = 1_000_000;
/** A name that is not needed is kept so long all the same, ms: a node may be about to need it. */
const RETENTION_MS = 600_000;
/** Of mig-parted's file. */
const FILE = 'config.yaml';

const configMapSchema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  data: z.record(z.string(), z.string()).nullish(),
});

interface Stored {
  /** Undefined: the ConfigMap is not there. */
  readonly resourceVersion: string | undefined;
  /** By name; of mig-parted's file, the entries. */
  readonly texts: Map<string, string>;
}

export class ConfigMapStore {
  readonly #options: ConfigMapStoreOptions;
  readonly #since: Readonly<Record<Component, Map<string, number>>> = { plugin: new Map(), mig: new Map() };
  /** What we know to belong under a name. */
  readonly #known = new Map<string, string>();
  #last: Promise<unknown> = Promise.resolve();
  #slow: { readonly file: string; readonly entries: ReadonlyMap<string, string> } | undefined;

  constructor(options: ConfigMapStoreOptions) {
    this.#options = options;
  }

  /** ms for which the name has been seen there; undefined if it is not. */
  age(component: Component, name: string): number | undefined {
    const since = this.#since[component].get(name);
    return since === undefined ? undefined : this.#options.clock.monotonic() - since;
  }

  /**
   * Adds names that are missing.
   * @param inUse names that must stay; others of ours go where there is no room otherwise
   * @throws KubeError, ConfigMapStoreError
   */
  add(component: Component, keys: readonly NamedConfig[], inUse: () => ReadonlySet<string>): Promise<void> {
    return this.#inTurn(() => this.#add(component, keys, inUse));
  }

  async #add(component: Component, keys: readonly NamedConfig[], inUse: () => ReadonlySet<string>): Promise<void> {
    for (const { name, text } of keys) this.#known.set(name, text);
    const stored = await this.#read(component);
    const missing = keys.filter(({ name, text }) => stored.texts.get(name) !== text);
    if (missing.length === 0) return;
    const texts = new Map(stored.texts);
    for (const { name, text } of missing) texts.set(name, text);
    const wanted = new Set(keys.map(({ name }) => name));
    const gone = size(texts) > MAX_BYTES ? unused(texts, new Set([...wanted, ...inUse()])) : [];
    for (const name of gone) texts.delete(name);
    if (size(texts) > MAX_BYTES) {
      const { namespace, configMaps } = this.#options;
      throw new ConfigMapStoreError(
        `the ConfigMap ${namespace}/${configMaps[component]} is full: its nodes differ in too many ways`,
      );
    }
    await this.#write(component, { ...stored, texts }, [...missing.map(({ name }) => name), ...gone]);
  }

  /** Takes away what has not been needed for a while. @throws KubeError, ConfigMapStoreError */
  collect(component: Component, inUse: ReadonlySet<string>): Promise<number> {
    return this.#inTurn(() => this.#collect(component, inUse));
  }

  /** Whether the names are there now, whatever was there before. @throws KubeError, ConfigMapStoreError */
  has(component: Component, name: string): Promise<boolean> {
    return this.#inTurn(async () => {
      await this.#read(component);
      return this.age(component, name) !== undefined;
    });
  }

  /** Nodes are dealt with side by side, but what is read is written before the next one reads. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  async #collect(component: Component, inUse: ReadonlySet<string>): Promise<number> {
    const stored = await this.#read(component);
    const gone = unused(stored.texts, inUse).filter((name) => (this.age(component, name) ?? 0) >= RETENTION_MS);
    if (gone.length === 0) return 0;
    const texts = new Map(stored.texts);
    for (const name of gone) texts.delete(name);
    await this.#write(component, { ...stored, texts }, gone);
    return gone.length;
  }

  async #read(component: Component): Promise<Stored> {
    const { client, namespace, configMaps } = this.#options;
    const path = `/api/v1/namespaces/${namespace}/configmaps/${configMaps[component]}`;
    const found = await client.json('GET', path).catch((error: unknown) => {
      if (error instanceof KubeError && error.status === 404) return undefined;
      throw error;
    });
    const parsed = found === undefined ? undefined : configMapSchema.parse(found);
    const data = new Map(Object.entries(parsed?.data ?? {}));
    const texts = component === 'plugin' ? data : this.#entries(data.get(FILE));
    this.#remember(component, texts);
    return { resourceVersion: parsed?.metadata.resourceVersion, texts };
  }

  #entries(file: string | undefined): Map<string, string> {
    if (!file?.trim()) return new Map();
    const quick = readLines(file);
    if (quick) return quick;
    // What is not of our form takes a second where there are thousands: not for each look.
    if (this.#slow?.file === file) return new Map(this.#slow.entries);
    const { namespace, configMaps } = this.#options;
    const parsed = parseFile(file);
    if (!parsed) {
      throw new ConfigMapStoreError(
        `${FILE} of the ConfigMap ${namespace}/${configMaps.mig} is no configuration of mig-parted: mend or empty it`,
      );
    }
    const entries = new Map(Object.entries(parsed).map(([name, entry]) => [name, JSON.stringify(entry)]));
    this.#slow = { file, entries };
    return new Map(entries);
  }

  /** Since when each name has been there, as far as we have seen. */
  #remember(component: Component, texts: ReadonlyMap<string, string>): void {
    const since = this.#since[component];
    for (const name of since.keys()) if (!texts.has(name)) since.delete(name);
    for (const [name, text] of texts) {
      const known = this.#known.get(name);
      if (known !== undefined && known !== text) {
        if (since.delete(name)) this.#options.edited(component, name);
      } else if (!since.has(name)) since.set(name, this.#options.clock.monotonic());
    }
  }

  async #write(component: Component, { resourceVersion, texts }: Stored, names: readonly string[]): Promise<void> {
    const { client, namespace, configMaps, maySend } = this.#options;
    const name = configMaps[component];
    const changes = Object.fromEntries(names.map((each) => [each, texts.get(each) ?? null]));
    const data = component === 'plugin' ? changes : { [FILE]: writeLines(texts) };
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    const send = maySend && { maySend };
    if (resourceVersion === undefined) {
      const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data };
      await client.json('POST', path, { body, ...send });
    } else {
      // If another client has written in the meantime it is read again.
      const body = { metadata: { resourceVersion }, data };
      await client.json('PATCH', `${path}/${name}`, { body, contentType: MERGE_PATCH, ...send });
    }
    this.#remember(component, texts);
  }
}

function unused(texts: ReadonlyMap<string, string>, inUse: ReadonlySet<string>): string[] {
  return [...texts.keys()].filter((name) => isOurs(name) && !inUse.has(name));
}

function size(texts: ReadonlyMap<string, string>): number {
  let bytes = 0;
  for (const [name, text] of texts) bytes += Buffer.byteLength(name) + Buffer.byteLength(text) + 6;
  return bytes;
}

const HEAD = 'version: v1\nmig-configs:\n';
const LINE = /^ {2}("(?:[^"\\]|\\.)*"|[A-Za-z0-9][-A-Za-z0-9_.]*): (\[.*\])$/;

/** One line for each entry, so that thousands are read in a moment. */
function writeLines(entries: ReadonlyMap<string, string>): string {
  if (entries.size === 0) return 'version: v1\nmig-configs: {}\n';
  return HEAD + [...entries].map(([name, text]) => `  ${plain(name)}: ${text}\n`).join('');
}

/** A word without "-" may be a truth value to a reader of YAML 1.1, such as mig-parted: `yes`, `off`, `null`. */
function plain(name: string): string {
  return /^[A-Za-z][A-Za-z0-9_.]*-[-A-Za-z0-9_.]*$/.test(name) ? name : JSON.stringify(name);
}

/** Undefined for a file that we have not written. */
function readLines(file: string): Map<string, string> | undefined {
  if (!file.startsWith(HEAD)) return undefined;
  const entries = new Map<string, string>();
  for (const line of file.slice(HEAD.length).split('\n')) {
    if (line === '' || line.trimStart().startsWith('#')) continue;
    const [, name = '', text = ''] = LINE.exec(line) ?? [];
    if (name === '') return undefined;
    try {
      JSON.parse(text);
      entries.set(name.startsWith('"') ? JSON.parse(name) : name, text);
    } catch {
      return undefined;
    }
  }
  return entries;
}

const fileSchema = z.object({ version: z.literal('v1'), 'mig-configs': z.record(z.string(), z.unknown()).nullish() });

/** As mig-parted reads it: YAML 1.1, with its merges. Source: sigs.k8s.io/yaml. */
function parseFile(file: string): Record<string, unknown> | undefined {
  try {
    const parsed = fileSchema.safeParse(parse(file, { version: '1.1', logLevel: 'error' }));
    return parsed.success ? (parsed.data['mig-configs'] ?? {}) : undefined;
  } catch {
    return undefined;
  }
}
