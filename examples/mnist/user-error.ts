/** What the person at the keyboard can put right: one sentence, no stack trace, exit code 2. */
export class UserError extends Error {
  override readonly name = 'UserError';
}
