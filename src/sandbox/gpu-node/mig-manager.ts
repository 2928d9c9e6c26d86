/**
 * mig-manager: partitions the GPUs when its label changes. What would hold the driver meanwhile it sends away by the
 * deploy labels, and lets come back. Source: mig-parted 0.15, `deployments/mig-manager` and `cmd/nvidia-mig-manager`.
 */

import { deploy, type Labels } from './deploy-labels.ts';
import type { DeviceManager } from './device-manager.ts';
import type { DevicePlugin } from './device-plugin.ts';
import { type Environment, strikes } from './environment.ts';
import type { Driver } from './hardware.ts';
import { parseMigConfigs } from './mig-parted-config.ts';
import { applyMig, isDone, type MigPlan, planMig } from './mig-plan.ts';

const STATE = 'nvidia.com/mig.config.state';

export class MigManager {
  readonly #environment: Environment;
  readonly #driver: Driver;
  readonly #kubelet: DeviceManager;
  readonly #plugin: DevicePlugin;
  #labels: Labels = {};
  /** The label's value; only the latest is known. */
  #wanted: string | undefined;
  #isWorking = false;
  #instances = 0;

  constructor(environment: Environment, driver: Driver, kubelet: DeviceManager, plugin: DevicePlugin) {
    this.#environment = environment;
    this.#driver = driver;
    this.#kubelet = kubelet;
    this.#plugin = plugin;
  }

  /** @param wanted the label `nvidia.com/mig.config`, after each change of any label */
  labelled(labels: Labels, wanted: string | undefined): void {
    this.#labels = labels;
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    if (wanted === undefined || this.#isWorking) return;
    this.#environment.aside(this.#work());
  }

  /** Until the label is what it was when the last run began: what it was in between goes unseen. */
  async #work(): Promise<void> {
    this.#isWorking = true;
    try {
      await this.#environment.sleep(this.#environment.timing.notice);
      let last: string | undefined;
      while (this.#wanted !== undefined && this.#wanted !== last && !this.#environment.isStopped) {
        last = this.#wanted;
        const run = this.#run(last);
        this.#environment.aside(run);
        await run.catch(() => {});
      }
    } finally {
      this.#isWorking = false;
    }
  }

  async #run(name: string): Promise<void> {
    const configs = parseMigConfigs(this.#environment.io.volume('mig')['config.yaml'] ?? '');
    if (!configs.ok) return this.#fail(name, configs.reason);
    const entries = configs.value.get(name);
    if (!entries) return this.#fail(name, `selected mig-config not present: ${name}`);
    const plan = planMig(this.#driver.gpus, this.#environment.spec, entries);
    if (!plan.ok) return this.#fail(name, plan.reason);
    if (isDone(plan.value)) return this.#end('success');

    await this.#state('pending');
    if (!(await this.#pause())) return;
    const why = await this.#apply(plan.value);
    return why === undefined ? this.#end('success') : this.#fail(name, why);
  }

  /** Sends away what holds the driver; false: it does not go, and all is left as it is. */
  async #pause(): Promise<boolean> {
    const { io, timing, faults } = this.#environment;
    const { gone } = this.#plugin;
    await io.labels(deploy(this.#labels, 'paused-for-mig-change'));
    await Promise.all([gone, this.#environment.sleep(timing.pause)]);
    if (!strikes(faults, 'migSticks')) return true;
    io.log('mig-manager: timed out waiting for pods to go');
    return false;
  }

  /** Why it could not: then nothing has changed. It never evicts. */
  async #apply(plan: MigPlan): Promise<string | undefined> {
    const { timing, faults, spec } = this.#environment;
    if (plan.modes.length > 0) {
      if (faults.migReboots) await this.#state('rebooting');
      await this.#environment.sleep(timing.mode);
    }
    await this.#environment.sleep(timing.geometry);
    const busy = this.#kubelet.heldOf(new Set([...plan.modes, ...plan.cuts.keys()]));
    if (busy) return `GPU ${busy.gpu} is in use: ${busy.id}`;
    if (this.#plugin.isRunning) return 'the device plugin is back, and holds the GPUs';
    if (strikes(faults, 'migFails')) return 'injected';
    this.#driver.gpus = applyMig(this.#driver.gpus, plan, () => {
      this.#instances += 1;
      return `MIG-${spec.name}-${this.#instances}`;
    });
    await this.#kubelet.keep(this.#driver.gpus);
    return undefined;
  }

  #fail(name: string, why: string): Promise<void> {
    this.#environment.io.log('mig-manager: failed', { key: name, why });
    return this.#end('failed');
  }

  /** Whatever came of it, what was sent away may come back. It does not wait for that. */
  async #end(state: 'success' | 'failed'): Promise<void> {
    await this.#environment.io.labels(deploy(this.#labels, 'true'));
    await this.#state(state);
  }

  #state(state: string): Promise<void> {
    return this.#environment.io.labels({ [STATE]: state });
  }
}
