// JSON as lines, with what is wrong at the line where it stands.

export interface MarkedLine {
  text: string;
  wrong: string[];
}

/** `wrong`: paths as in `items.0.name`, empty for the whole value. What has no line stands at the nearest one around it. */
export function markedLines(value: unknown, wrong: readonly [path: string, sentence: string][]): MarkedLine[] {
  const lines: MarkedLine[] = [];
  const at = new Map<string, MarkedLine>();
  function write(each: unknown, path: string, indent: string, before: string, after: string): void {
    const entries = typeof each === "object" && each !== null ? Object.entries(each) : [];
    const [open, close] = Array.isArray(each) ? "[]" : "{}";
    const line = { text: `${indent}${before}${entries.length ? open : JSON.stringify(each)}${entries.length ? "" : after}`, wrong: [] };
    lines.push(line);
    at.set(path, line);
    entries.forEach(([key, child], index) => {
      const name = Array.isArray(each) ? "" : `${JSON.stringify(key)}: `;
      write(child, path ? `${path}.${key}` : key, `${indent}  `, name, index < entries.length - 1 ? "," : "");
    });
    if (entries.length) lines.push({ text: `${indent}${close}${after}`, wrong: [] });
  }
  write(value, "", "", "", "");
  for (const [path, sentence] of wrong) {
    let place = path;
    while (place && !at.has(place)) place = place.slice(0, Math.max(0, place.lastIndexOf(".")));
    at.get(place)!.wrong.push(sentence);
  }
  return lines;
}
