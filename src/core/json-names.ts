/**
 * The first name that stands twice in one object of `text`, which is valid JSON; undefined where
 * none does. `JSON.parse` would keep the last of them and say nothing.
 */
export function scanNames(text: string): string | undefined {
  /** One set of names for each open object, undefined for an open list. */
  const open: (Set<string> | undefined)[] = [];
  const token = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g;
  for (const [found, colon] of text.matchAll(token)) {
    if (found === '{') open.push(new Set());
    else if (found === '[') open.push(undefined);
    else if (found === '}' || found === ']') open.pop();
    else if (colon !== undefined) {
      const name = JSON.parse(found.slice(0, -colon.length)) as string;
      const names = open.at(-1)!;
      if (names.has(name)) return name;
      names.add(name);
    }
  }
  return undefined;
}
