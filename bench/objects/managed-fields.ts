/** `metadata.managedFields`: who wrote which field of an object, and when. */

/** An entry of the list. */
export function writtenBy(manager: string, time: string, fieldsV1: object, subresource?: string): object {
  return {
    manager,
    operation: 'Update',
    apiVersion: 'v1',
    time,
    fieldsType: 'FieldsV1',
    fieldsV1,
    ...(subresource && { subresource }),
  };
}

/** Fields of these names, as leaves. */
export function fields(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [`f:${name}`, {}]));
}
