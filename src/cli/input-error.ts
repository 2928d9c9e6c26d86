/** Something that a user gave us cannot be used; the message says where and why. Exit code 2. */
export class InputError extends Error {
  override readonly name = 'InputError';
}
