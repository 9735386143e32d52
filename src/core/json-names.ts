/**
 * The first name that stands twice in one object of `text`, which is valid JSON; undefined where
 * none does. `JSON.parse` would keep the last of them and say nothing.
 */
export function scanNames(text: string): string | undefined {
  /** One set of names for each open object, undefined for an open list. */
  const open: (Set<string> | undefined)[] = [];
  const token = /["{}[\]]/g;
  for (let found = token.exec(text); found !== null; found = token.exec(text)) {
    const [mark] = found;
    if (mark === '{') open.push(new Set());
    else if (mark === '[') open.push(undefined);
    else if (mark !== '"') open.pop();
    else {
      const end = endOfString(text, found.index);
      token.lastIndex = end;
      if (!isFollowedByColon(text, end)) continue;
      const name = JSON.parse(text.slice(found.index, end)) as string;
      const names = open.at(-1)!;
      if (names.has(name)) return name;
      names.add(name);
    }
  }
  return undefined;
}

/** Behind the string that begins at `begin`. Not by a pattern: those have no room for long strings. */
function endOfString(text: string, begin: number): number {
  let end = text.indexOf('"', begin + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end + 1;
}

/** Whether an odd number of backslashes stands before `at`. */
function isEscaped(text: string, at: number): boolean {
  let before = at;
  while (text[before - 1] === '\\') before -= 1;
  return (at - before) % 2 === 1;
}

function isFollowedByColon(text: string, at: number): boolean {
  const colon = /\s*:/y;
  colon.lastIndex = at;
  return colon.test(text);
}
