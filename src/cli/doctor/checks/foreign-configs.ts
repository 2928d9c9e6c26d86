/** Nodes whose device plugin or mig-manager others configure: the planner and the reconciler leave those alone. */

import { TRIGGERS } from '../../../api/keys.ts';
import { drift } from '../../../reconciler/transitions.ts';
import { foreignConfigOf } from '../../../state/changeable.ts';
import { defineCheck, type Finding } from '../check.ts';
import { countOf, namesBy } from '../phrases.ts';

export const foreignConfigs = defineCheck({
  name: 'foreign-configs',
  about: `${TRIGGERS.plugin} or ${TRIGGERS.mig} set by others`,
  needs: ['nodes'],
  run: ({ nodes }) => {
    const foreign = namesBy(nodes, ({ observed }) => {
      const found = foreignConfigOf(observed);
      return found && `${TRIGGERS[found.component]}=${found.name}`;
    });
    const edited = nodes.filter(({ observed }) => observed.lastApplied && drift(observed, observed.lastApplied));
    return [
      ...foreign.map(([label, names]) => chosen(label, names)),
      ...(edited.length > 0 ? [edits(edited.map(({ name }) => name))] : []),
    ];
  },
});

function chosen(label: string, names: readonly string[]): Finding {
  const [key] = label.split('=');
  return {
    severity: 'warning',
    message: `${countOf('node', names)} ${names.length === 1 ? 'has' : 'have'} ${label}, which is not ours: the planner only recommends changes there`,
    fix: `take the label away (kubectl label node NAME ${key}-), or write a GPUNodeConfig for the node yourself`,
    objects: names,
  };
}

function edits(names: readonly string[]): Finding {
  return {
    severity: 'warning',
    message: `another client has edited what was applied to ${countOf('node', names)}: the labels are left as they are`,
    fix: 'take the edit back (kubectl describe gnc names the command), or change the spec of the GPUNodeConfig',
    objects: names,
  };
}
