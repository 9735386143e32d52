/**
 * The URL of a module of a user, or undefined for what is none: a URL, or the text of one, that names
 * a file. Modules are code, so they come from the disk and from nowhere else: no `data:`, no `http:`.
 */
export function moduleUrl(given: unknown): string | undefined {
  if (!(given instanceof URL) && typeof given !== 'string') return undefined;
  const text = String(given);
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  return url.protocol === 'file:' ? url.href : undefined;
}
